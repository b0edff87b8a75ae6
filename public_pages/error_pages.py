"""What a person reads, and which HTTP status goes with it, for every error of the product.

This is the pages' half of the error table; ``explainer/api/problem_details.py`` is the other one. Texts say what
happened and what helps; they never show an exception's own words.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from explainer.errors import (
    AccessRefusedError,
    BadAccessCodeError,
    ConflictError,
    CsrfError,
    DecisionNotFoundError,
    ErasedError,
    ExplanationNotFoundError,
    IdempotencyConflictError,
    LogIntegrityError,
    LogTileNotFoundError,
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
    RegisterEntryNotFoundError,
    ScoreMismatchError,
    SealingError,
    SettingsError,
    TracesNotTakenError,
    TransitionNotAllowedError,
    UntrustworthyExplanationError,
    VerificationError,
)
from models.errors import InvalidInputError, KlarbescheidError, ModelNotFoundError, ModelUnusableError
from public_pages.static_assets import MissingAssetsError, UnknownAssetError
from public_pages.translations import message


@dataclass(frozen=True)
class PageError:
    """What a page says about one kind of error.

    Attributes:
        status: HTTP status.
        title: English heading.
        sentences: English sentences.
        way_on: Path of the page that helps on.
        way_on_label: English text of the link there.
    """

    status: int
    title: str
    sentences: tuple[str, ...]
    way_on: str = "/"
    way_on_label: str = message("To the start page")


_NOT_SET_UP = PageError(
    500, message("The service is not set up correctly"), (message("The city is informed. Please try again later."),)
)

PAGE_ERRORS: Mapping[type[KlarbescheidError], PageError] = {
    InvalidInputError: PageError(
        422,
        message("Something you entered does not fit"),
        (message("We could not use what you entered."), message("Go back, check the form and send it again.")),
    ),
    ModelNotFoundError: PageError(
        404,
        message("This program is not installed here"),
        (message("There is no program with this name and version on this service."),),
        "/register",
        message("To the register"),
    ),
    ModelUnusableError: PageError(
        503,
        message("We cannot explain this program at the moment"),
        (
            message("A check of the program's files failed. So we show nothing that could be wrong."),
            message("The city is informed. Please try again later or call us."),
        ),
    ),
    NotFoundError: PageError(
        404,
        message("We did not find this page"),
        (message("Check the address. Maybe the page has moved."),),
    ),
    DecisionNotFoundError: PageError(
        404,
        message("We did not find this decision"),
        (message("There is no decision with this reference number."), message("Check the number in your letter.")),
    ),
    ExplanationNotFoundError: PageError(
        404,
        message("We did not find this explanation"),
        (message("There is no explanation with this number."),),
    ),
    RegisterEntryNotFoundError: PageError(
        404,
        message("The register has no such entry"),
        (message("Maybe the name is different, or this version was never published."),),
        "/register",
        message("To the register"),
    ),
    LogTileNotFoundError: PageError(
        404,
        message("The log does not reach that far"),
        (message("Check the address."),),
        "/audit",
        message("To the log"),
    ),
    ConflictError: PageError(
        409,
        message("This no longer fits"),
        (message("Somebody has changed something in the meantime. Load the page again."),),
    ),
    IdempotencyConflictError: PageError(
        409,
        message("This was already sent, with other content"),
        (message("Load the page again and send the form once more."),),
    ),
    ScoreMismatchError: PageError(
        409,
        message("The number does not match"),
        (message("The number that was sent is not the one our copy of the program gives."),),
    ),
    TransitionNotAllowedError: PageError(
        409,
        message("This step is not possible"),
        (message("The decision is already further on. Load the page again."),),
    ),
    AccessRefusedError: PageError(
        403, message("You cannot open this page"), (message("This page is only for certain people."),)
    ),
    BadAccessCodeError: PageError(
        403,
        message("Reference number or code is wrong"),
        (message("Check both in your letter and try again."),),
        "/why",
        message("Try again"),
    ),
    NotSignedInError: PageError(
        401,
        message("Please sign in"),
        (message("You are not signed in, or your session has ended."),),
        "/staff/sign-in",
        message("Sign in"),
    ),
    NotAllowedError: PageError(
        403,
        message("You cannot open this page"),
        (message("Your account does not have the role this page needs."),),
        "/staff",
        message("To my pages"),
    ),
    CsrfError: PageError(
        403,
        message("The form has expired"),
        (
            message("Your entries were not sent. This protects you against forged forms."),
            message("Open the page again and fill in the form once more."),
        ),
    ),
    UntrustworthyExplanationError: PageError(
        503,
        message("A person will answer you"),
        (
            message("We check every explanation before we show it. This one did not pass the check."),
            message("So we do not show it. A person will explain the decision to you."),
        ),
    ),
    VerificationError: PageError(
        500,
        message("The check failed"),
        (message("Something that should be provable is not."), message("The city is informed.")),
    ),
    SealingError: PageError(
        500,
        message("We cannot open the stored data"),
        (message("The city is informed. Please try again later or call us."),),
    ),
    ErasedError: PageError(
        410,
        message("These data have been erased"),
        (
            message("The personal data of this decision no longer exist."),
            message("The log still proves that the decision was recorded."),
        ),
    ),
    LogIntegrityError: PageError(
        500,
        message("The log is stopped"),
        (
            message("The log contradicts itself. So we record nothing and explain nothing until it is repaired."),
            message("The city is informed."),
        ),
    ),
    TracesNotTakenError: PageError(
        503, message("The service cannot answer now"), (message("Please try again in a moment."),)
    ),
    SettingsError: _NOT_SET_UP,
    MissingAssetsError: _NOT_SET_UP,
    UnknownAssetError: _NOT_SET_UP,
}
"""Error class to page; a class without a line of its own uses its parent's."""

HTTP_ERRORS: Mapping[int, PageError] = {
    400: PAGE_ERRORS[InvalidInputError],
    404: PAGE_ERRORS[NotFoundError],
    422: PAGE_ERRORS[InvalidInputError],
    405: PageError(405, message("This page does not take that"), (message("Go back and use the form on the page."),)),
    413: PageError(413, message("That was too much"), (message("Send less text in the form."),)),
    429: PageError(
        429,
        message("Too many attempts"),
        (message("Please wait a minute and then try again."),),
        "/why",
        message("Try again"),
    ),
}

UNEXPECTED = PageError(
    500,
    message("Something went wrong"),
    (message("This is our mistake, not yours."), message("Please try again later or call us.")),
)


def page_error_for(kind: type[KlarbescheidError]) -> PageError:
    """Find the page of an error class.

    Args:
        kind: A class of the error tree.

    Returns:
        Its own line of the table, or that of its nearest parent.
    """
    return next((PAGE_ERRORS[parent] for parent in kind.__mro__ if parent in PAGE_ERRORS), UNEXPECTED)
