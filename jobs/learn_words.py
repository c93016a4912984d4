"""Words of raw texts with their counts, for columns that cut texts into them.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/learn_words.py \\
        --input hdfs:///texts --by jieba --output hdfs:///words.txt
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="learn-words",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--input", required=True, type=arguments.location, metavar="URI", help="text files")
    parser.add_argument(
        "--output", required=True, type=arguments.location, metavar="FILE", help="an older list is replaced"
    )
    parser.add_argument(
        "--by",
        choices=["space", "jieba", "bpe"],
        default="space",
        help="words between blanks, Chinese words, or byte-pair pieces of words (default: %(default)s)",
    )
    parser.add_argument("--size", type=int, default=0, metavar="N", help="at most N words; 0 for all")
    parser.add_argument("--minimum-count", type=int, default=1, metavar="N", help="words seen N times or more")
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.runtime.session import session
        from emberline.pipelines.text.word_lists import learn_words

        with session("learn-words", given.master) as spark:
            return learn_words(
                spark, given.input, given.output, by=given.by, size=given.size, minimum_count=given.minimum_count
            )

    return conclude("learn-words", work)


if __name__ == "__main__":
    sys.exit(main())
