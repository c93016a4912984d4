"""What vectors of words say: the nearest words, and how many analogies they solve.

emberline neighbours --vectors hdfs:///trainings/word2vec/model/vectors/text.parquet --words five king
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="neighbours", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--vectors",
        required=True,
        type=arguments.location,
        metavar="URI",
        help="the .parquet file in the folder vectors of a word2vec model",
    )
    parser.add_argument("--words", nargs="+", default=[], metavar="WORD", help="words whose neighbours are told")
    parser.add_argument(
        "--analogies",
        type=arguments.location,
        metavar="FILE",
        help="questions of four words a line: a is to b as c to d",
    )
    parser.add_argument("--top", type=int, default=8, metavar="N", help="neighbours of a word (default: %(default)s)")
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.text.word_vectors import look

        return look(given.vectors, given.words, given.analogies, given.top)

    return conclude("neighbours", work)


if __name__ == "__main__":
    sys.exit(main())
