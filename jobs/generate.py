"""Text out of a language model: what it holds likely behind the words given.

emberline generate --model models:/emberline-ptb_small@champion --begin "it is a" --words 30 --top-k 10
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="generate", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, metavar="URI", help="a registered model, or a training's folder")
    parser.add_argument("--begin", required=True, metavar="TEXT", help="the words it goes on from")
    parser.add_argument("--words", type=int, default=30, metavar="N", help="words to write (default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=1.0, metavar="T", help="below 1 likely words are likelier")
    parser.add_argument("--top-k", type=int, default=0, metavar="N", help="draw from the N likeliest words; 0 for all")
    parser.add_argument("--seed", type=int, metavar="N", help="for the same text again")
    arguments.add_tracking(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.text.generation import generate
        from emberline.pipelines.tracking import Tracker

        return generate(
            Tracker(tracking_uri(given.tracking_uri)),
            given.model,
            given.begin,
            given.words,
            temperature=given.temperature,
            top_k=given.top_k,
            seed=given.seed,
        )

    return conclude("generate", work)


if __name__ == "__main__":
    sys.exit(main())
