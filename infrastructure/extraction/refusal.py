"""How a reader refuses a document."""

from infrastructure.ports.extraction import Reason


class Refusal(Exception):
    """Why a document has no text. The detail is for people, and has nothing of the document's content."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def damaged(detail: str) -> Refusal:
    return Refusal(Reason.DAMAGED, detail)


def password_protected() -> Refusal:
    return Refusal(Reason.PASSWORD_PROTECTED, "Save it without a password and upload it again.")
