"""Benchmarks against public peers: every claim is a ratio measured in one run, peers in environments of their own."""

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from benchmarks.attribution import compare_attribution
from benchmarks.black_box import compare_black_box
from benchmarks.correctness import compare_correctness
from benchmarks.counterfactuals import compare_counterfactuals
from benchmarks.http_service import compare_http
from benchmarks.linear import compare_linear
from benchmarks.log import compare_log
from benchmarks.reliability import compare_reliability

BENCHMARKS: Mapping[str, Callable[[], None]] = {
    "correctness": compare_correctness,
    "attribution": compare_attribution,
    "linear": compare_linear,
    "black_box": compare_black_box,
    "counterfactuals": compare_counterfactuals,
    "reliability": compare_reliability,
    "http": compare_http,
    "log": compare_log,
}
NAMES = ", ".join(BENCHMARKS)


def main(
    chosen: Annotated[list[str] | None, typer.Argument(help=f"{NAMES}; all when none is named.")] = None,
) -> None:
    """Run the benchmarks that were named, or all."""
    unknown = sorted(set(chosen or []) - set(BENCHMARKS))
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: there are {NAMES}.")
    for name in chosen or BENCHMARKS:
        BENCHMARKS[name]()
        print()


if __name__ == "__main__":
    typer.run(main)
