"""The registry of domain events by type."""

from events.ai import ContentAnalyzed, DocumentGenerated, DocumentProcessed
from events.batches import BatchCompleted
from events.envelope import DomainEvent
from events.keys import KeysRotated
from events.search import DocumentIndexed
from events.webhooks import WebhookPaused
from events.workflow import WorkflowCompleted

_ALL: tuple[type[DomainEvent], ...] = (
    DocumentProcessed,
    DocumentGenerated,
    ContentAnalyzed,
    DocumentIndexed,
    WorkflowCompleted,
    KeysRotated,
    BatchCompleted,
    WebhookPaused,
)

EVENTS: dict[str, type[DomainEvent]] = {event.type: event for event in _ALL}
