"""Synthetic, seeded data to train small models on; nothing is said about real cities."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

N_FEATURES = 8
N_TRAINING_ROWS = 3_000
N_BACKGROUND_ROWS = 60
N_HELD_OUT_ROWS = 200
SHARE_MISSING = 0.08


@dataclass(frozen=True, kw_only=True)
class Table:
    """Synthetic data: numbers first, then categories by their number."""

    numbers: np.ndarray
    words: np.ndarray
    target: np.ndarray

    @property
    def training(self) -> slice:
        """Rows to train on."""
        return slice(N_TRAINING_ROWS)

    @property
    def background(self) -> slice:
        """Rows contributions compare with."""
        return slice(N_TRAINING_ROWS, N_TRAINING_ROWS + N_BACKGROUND_ROWS)

    @property
    def held_out(self) -> slice:
        """Rows to score."""
        return slice(N_TRAINING_ROWS + N_BACKGROUND_ROWS, None)

    @property
    def rows(self) -> np.ndarray:
        """All features, categories by their number, float64."""
        return np.column_stack([self.numbers.astype(np.float64), self.words])

    def training_set(self) -> tuple[np.ndarray, np.ndarray]:
        """Give numbers and target of the rows to train on."""
        return self.numbers[self.training], self.target[self.training]

    def frame(self) -> pd.DataFrame:
        """Give the table as people have it: categories as text."""
        frame = pd.DataFrame(self.numbers, columns=[f"n{place}" for place in range(self.numbers.shape[1])])
        for place in range(self.words.shape[1]):
            frame[f"w{place}"] = np.char.add("c", self.words[:, place].astype(int).astype(str)).astype(object)
        return frame


def table(
    *,
    seed: int,
    kind: str = "classes",
    n_classes: int = 2,
    missing: bool = False,
    n_complete: int = 0,
    word_sizes: tuple[int, ...] = (),
) -> Table:
    """Make data in which numbers interact, the first two are whole, and categories matter.

    Args:
        seed: Of everything.
        kind: What is predicted: classes, numbers or counts.
        n_classes: Classes, if it is classes.
        missing: Whether numbers may be missing.
        n_complete: So many of the last numbers are never missing.
        word_sizes: Categories of each feature that is a category.
    """
    generator = np.random.default_rng(seed)
    n_rows = N_TRAINING_ROWS + N_BACKGROUND_ROWS + N_HELD_OUT_ROWS
    n_numbers = N_FEATURES - len(word_sizes)
    numbers = generator.normal(size=(n_rows, n_numbers))
    numbers[:, 0] = generator.poisson(2.0, n_rows)
    numbers[:, 1] = np.round(np.exp(generator.normal(7, 0.4, n_rows)))
    words = np.column_stack([generator.integers(size, size=n_rows) for size in word_sizes] or [np.zeros((n_rows, 0))])
    signals = []
    for _ in range(n_classes if n_classes > 2 else 1):  # noqa: PLR2004 -- two classes share one signal
        weights = generator.normal(size=n_numbers) * np.array([0.5, 0.001, *[1.0] * (n_numbers - 2)])
        signal = numbers @ weights + numbers[:, 2] * numbers[:, 3] - np.abs(numbers[:, -1])
        for place, size in enumerate(word_sizes):
            signal = signal + generator.normal(0, 1.2, size)[words[:, place].astype(int)]
        signals.append(signal + generator.normal(0, 0.5, n_rows))
    if missing:
        gone = generator.random(numbers.shape) < SHARE_MISSING
        gone[:, n_numbers - n_complete :] = False
        signals = [signal + gone[:, 2] for signal in signals]
        numbers = np.where(gone, np.nan, numbers)
    signal = np.column_stack(signals)
    standard = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    if kind == "numbers":
        target = standard[:, 0]
    elif kind == "counts":
        target = generator.poisson(np.exp(standard[:, 0] / 2)).astype(np.float64)
    elif n_classes == 2:  # noqa: PLR2004 -- yes or no, yes being rarer
        target = (signal[:, 0] > np.quantile(signal[:, 0], 0.6)).astype(int)
    else:
        target = (signal - np.median(signal, axis=0)).argmax(axis=1)
    # Frameworks differ in which of 32 and 64 bits they compare; numbers that are the same in both take that out.
    return Table(numbers=numbers.astype(np.float32), words=words, target=target)
