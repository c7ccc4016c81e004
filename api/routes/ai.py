"""Endpoints of the AI commands: process, generate and analyze documents. Each request submits a job."""

from api.auth.principal import Scope
from api.routes.commands import command_endpoint
from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument

ENDPOINTS = (
    command_endpoint("/api/ai/process-document", ProcessDocument, Scope.JOBS_WRITE),
    command_endpoint("/api/ai/generate-document", GenerateDocument, Scope.JOBS_WRITE, aliases=("/api/ai/generate",)),
    command_endpoint("/api/ai/analyze-content", AnalyzeContent, Scope.JOBS_WRITE),
)
