"""Benchmarks against public peers: every claim is a ratio measured in one run, peers in environments of their own."""

from collections.abc import Callable, Mapping

import typer

from benchmarks.attribution import compare_attribution
from benchmarks.http_service import compare_http
from benchmarks.reliability import compare_reliability

BENCHMARKS: Mapping[str, Callable[[], None]] = {
    "attribution": compare_attribution,
    "http": compare_http,
    "reliability": compare_reliability,
}


def main(
    chosen: list[str] = typer.Argument(default=None, help="attribution, http, reliability; all when none is named."),
) -> None:
    """Run the benchmarks that were named, or all."""
    for name in chosen or BENCHMARKS:
        BENCHMARKS[name]()
        print()


if __name__ == "__main__":
    typer.run(main)
