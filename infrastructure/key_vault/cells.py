"""The cells of sealed values. `cell` is the row's own name: unique in the tenant, never used again."""

from uuid import UUID

from infrastructure.key_vault.sealed import Cell


def text_cell(tenant_id: UUID, cell: str) -> Cell:
    """Of a version's text in its row; named as before documents had versions, so that those texts still open."""
    return Cell(tenant_id, "documents", "body", cell)


def original_key_cell(tenant_id: UUID, cell: str) -> Cell:
    """Of the key that a version's original is encrypted with."""
    return Cell(tenant_id, "document_versions", "original_key", cell)


def text_key_cell(tenant_id: UUID, cell: str) -> Cell:
    """Of the key that a version's long text is encrypted with."""
    return Cell(tenant_id, "document_versions", "text_key", cell)


def outline_cell(tenant_id: UUID, cell: str) -> Cell:
    return Cell(tenant_id, "document_versions", "outline", cell)


def facts_cell(tenant_id: UUID, cell: str) -> Cell:
    return Cell(tenant_id, "document_facts", "facts", cell)


def credential_cell(tenant_id: UUID, provider: str) -> Cell:
    """Of a tenant's own key of a provider; named by the provider, since a tenant has one of each."""
    return Cell(tenant_id, "ai_credentials", "key", provider)


def search_key_cell(tenant_id: UUID, key_id: str) -> Cell:
    """Of a search server's key that sees one tenant's indexes."""
    return Cell(tenant_id, "search_credentials", "key", key_id)


def section_cell(tenant_id: UUID, cell: str) -> Cell:
    """Of what a job has finished."""
    return Cell(tenant_id, "ai_sections", "content", cell)


def paid_answer_cell(tenant_id: UUID, cell: str) -> Cell:
    return Cell(tenant_id, "ai_answers", "content", cell)


def prompt_version_cell(tenant_id: UUID, cell: str) -> Cell:
    return Cell(tenant_id, "ai_prompt_versions", "content", cell)


def prompt_test_cell(tenant_id: UUID, cell: str) -> Cell:
    return Cell(tenant_id, "ai_prompt_tests", "content", cell)


def saved_search_cell(tenant_id: UUID, cell: str) -> Cell:
    return Cell(tenant_id, "saved_searches", "content", cell)


def slow_query_cell(tenant_id: UUID, cell: str) -> Cell:
    """Of a search that took long, as it was asked."""
    return Cell(tenant_id, "search_slow_queries", "query", cell)
