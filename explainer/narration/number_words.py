"""Numbers, dates and values as people write them, and scores rounded without contradicting the threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache, cached_property, lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import NumberPattern, format_decimal, get_decimal_symbol, get_group_symbol, parse_pattern

from explainer.decisions.decision import Value
from explainer.narration.phrases import Phrases, Voice
from models.features import Feature
from models.outcomes import ScoreMeaning

TIME_ZONE = ZoneInfo("Europe/Berlin")
"""People read dates and times of the place they live in; everything is kept in UTC."""

MAX_DECIMALS = 6
"""No value and no threshold is written with more digits behind the decimal point."""

EXACT_DIGITS = 1e9
"""Below this, six decimals of a float are the ones its shortest spelling has; beyond it Babel decides."""


@dataclass(frozen=True)
class NumberWords:
    """Writes numbers in one language.

    Attributes:
        phrases: Phrases of the language.
        voice: Whom they are said to.
    """

    phrases: Phrases
    voice: Voice

    def count(self, number: float) -> str:
        """A number rounded to a whole one, thousands separated."""
        return self.decimal(number, 0)

    def decimal(self, number: float, decimals: int) -> str:
        """A number with this many digits behind the decimal point; never a minus before zero."""
        return self._writer(decimals, signed=False).write(number)

    def signed(self, number: float, decimals: int) -> str:
        """A number with its sign, plus included."""
        return self._writer(decimals, signed=True).write(number)

    def _writer(self, decimals: int, *, signed: bool) -> "_NumberWriter":
        writer = self._writers.get((decimals, signed))
        if writer is None:
            writer = self._writers[decimals, signed] = _writer(self.phrases.locale, decimals, signed=signed)
        return writer

    @cached_property
    def _writers(self) -> dict[tuple[int, bool], "_NumberWriter"]:
        # Babel takes longer to compare two locales than a number takes to write.
        return {}

    def date(self, day: date | datetime) -> str:
        """A day, such as 7 December 2026; moments as the day it was in the city."""
        if isinstance(day, datetime):
            day = day.astimezone(TIME_ZONE).date()
        return _long_date(day, self.phrases.locale)

    def time(self, moment: datetime) -> str:
        """The time of day in the city, such as 8:15."""
        here = moment.astimezone(TIME_ZONE)
        return _time_of_day(time(here.hour, here.minute), self.phrases.locale)

    def listed(self, items: Sequence[str]) -> str:
        """Items joined as the language does."""
        return format_list(list(items), locale=self.phrases.locale)

    def value(self, feature: Feature, value: Value, *, more_decimals: int = 0) -> str:
        """The value of a feature with its unit.

        Args:
            feature: From the card.
            value: As the case system sent it.
            more_decimals: Digits beyond those the card asks for.

        Returns:
            For example ``1,180 euros a month``, ``yes`` or the words of a category.
        """
        if value is None:
            if feature.may_be_missing is None:
                raise TypeError(f"'{feature.name}' has no value and no words for that")
            return feature.may_be_missing.in_language(self.phrases.language)
        if feature.kind == "category":
            label = next((category.label for category in feature.categories if category.value == value), None)
            return str(value) if label is None else label.in_language(self.phrases.language)
        if feature.kind == "boolean":
            return self.voice.say("value.yes" if value else "value.no")
        number = float(value)
        decimals = min(feature.decimals + more_decimals, MAX_DECIMALS)
        if round(number, decimals) == round(number):
            decimals = 0
        text = self.decimal(number, decimals)
        unit = feature.unit_for(number, self.phrases.language)
        return text if unit is None else self.voice.say("value.with_unit", number=text, unit=unit)

    def value_pair(self, feature: Feature, before: Value, after: Value) -> tuple[str, str]:
        """Two values of a feature, with as many digits as it takes to tell them apart."""
        for more_decimals in range(MAX_DECIMALS + 1):
            texts = (
                self.value(feature, before, more_decimals=more_decimals),
                self.value(feature, after, more_decimals=more_decimals),
            )
            if texts[0] != texts[1] or before == after:
                break
        return texts

    def threshold(self, threshold: float, meaning: ScoreMeaning) -> str:
        """The threshold on the scale that people see, with its unit."""
        scaled = round(threshold * meaning.scale, MAX_DECIMALS)
        decimals = next(digits for digits in range(MAX_DECIMALS + 1) if round(scaled, digits) == scaled)
        return self.with_unit(self.decimal(scaled, max(decimals, meaning.decimals if decimals else 0)), meaning)

    def with_unit(self, shown: str, meaning: ScoreMeaning) -> str:
        """A number of the model, already written, with its unit behind it where it has one."""
        unit = meaning.unit_for(shown, self.phrases.language)
        return shown if unit is None else self.voice.say("value.with_unit", number=shown, unit=unit)

    def score(self, score: float, threshold: float | None, meaning: ScoreMeaning) -> str:
        """The score on the scale that people see, with its unit, rounded to the digits that people see.

        Where rounding would put the score on the other side of the threshold, words say on which side it lies.

        Args:
            score: In the card's score unit.
            threshold: In the card's score unit; None for several classes.
            meaning: What the score is.

        Returns:
            For example ``72``, ``1,240 euros``, or ``just under 60`` for 59.7 with the threshold 60.
        """
        shown = round(score * meaning.scale, meaning.decimals)
        if threshold is None or (score >= threshold) == (shown >= round(threshold * meaning.scale, MAX_DECIMALS)):
            return self._rounded(score, shown, threshold, meaning)
        text = self.threshold(threshold, meaning)
        if score == threshold:
            return text
        return self.voice.say("value.just_below" if score < threshold else "value.just_above", threshold=text)

    def _rounded(self, score: float, shown: float, threshold: float | None, meaning: ScoreMeaning) -> str:
        if not meaning.is_probability:
            return self.with_unit(self.decimal(shown, 0 if shown == round(shown) else meaning.decimals), meaning)
        # 0 and 100 mean "none" and "all": a score that only rounds to them must not say so.
        limit = None if threshold is None else round(threshold * meaning.scale, MAX_DECIMALS)
        if shown == meaning.scale and score < 1 and (limit is None or limit <= meaning.scale - 1):
            return self.voice.say("value.more_than", number=self.count(meaning.scale - 1))
        if shown == 0 and score > 0 and (limit is None or limit >= 1):
            return self.voice.say("value.less_than", number=self.count(1))
        return self.count(shown)


@dataclass(frozen=True)
class _NumberWriter:
    """Writes numbers with a fixed number of decimals as Babel does, forty times quicker.

    Attributes:
        locale: Decides the signs.
        decimals: Digits behind the decimal point.
        pattern: Babel's pattern; its digits are grouped by three.
        signs: Where Python's signs for grouping and decimal point are replaced by the locale's.
        spelling: Python's format specification.
    """

    locale: Locale
    decimals: int
    pattern: NumberPattern
    signs: Mapping[int, str]
    spelling: str

    def write(self, number: float) -> str:
        rounded = round(number, self.decimals) + 0.0
        if not abs(rounded) < EXACT_DIGITS:
            return format_decimal(rounded, format=self.pattern, locale=self.locale)
        prefix: str = self.pattern.prefix[rounded < 0]
        return prefix + format(abs(rounded), self.spelling).translate(self.signs)


@cache
def _writer(locale: Locale, decimals: int, *, signed: bool) -> _NumberWriter:
    digits = "#,##0" + ("." + "0" * decimals if decimals else "")
    pattern = parse_pattern(f"+{digits};-{digits}" if signed else digits)
    signs = {ord(","): get_group_symbol(locale), ord("."): get_decimal_symbol(locale)}
    return _NumberWriter(locale, decimals, pattern, signs, f",.{decimals}f")


@lru_cache(maxsize=1440)
def _time_of_day(at: time, locale: Locale) -> str:
    return format_time(at, format="H:mm", locale=locale)


@lru_cache(maxsize=1024)
def _long_date(day: date, locale: Locale) -> str:
    return format_date(day, format="long", locale=locale)
