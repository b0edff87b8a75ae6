"""Benchmarks against public peers: every claim is a ratio measured in one run, peers in environments of their own."""

from collections.abc import Callable, Mapping

import typer

from benchmarks.attribution import compare_attribution
from benchmarks.black_box import compare_black_box
from benchmarks.counterfactuals import compare_counterfactuals
from benchmarks.http_service import compare_http
from benchmarks.linear import compare_linear

BENCHMARKS: Mapping[str, Callable[[], None]] = {
    "attribution": compare_attribution,
    "linear": compare_linear,
    "black_box": compare_black_box,
    "counterfactuals": compare_counterfactuals,
    "http": compare_http,
}


def main(
    chosen: list[str] = typer.Argument(default=None, help=f"{', '.join(BENCHMARKS)}; all when none is named."),
) -> None:
    """Run the benchmarks that were named, or all."""
    for name in chosen or BENCHMARKS:
        BENCHMARKS[name]()
        print()


if __name__ == "__main__":
    typer.run(main)
