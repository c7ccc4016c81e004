"""What the AI pool's jobs share: opened once per worker."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from infrastructure.concurrency.loops import Loop, WithLoops
from infrastructure.concurrency.process_pool import processor_pool
from infrastructure.concurrency.work_clock import at_work
from infrastructure.model_registry.registry import Api, ModelRegistry, load
from infrastructure.offline.text.language import identifier
from infrastructure.ports import Processors
from infrastructure.ports.ai.checkpoints import Checkpoints
from infrastructure.ports.ai.ledger import Ledger
from infrastructure.ports.ai.prompts import Prompts, PromptTests
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.documents import DocumentStore
from infrastructure.settings import Settings
from infrastructure.wiring import document_store, keyring, prompts
from workers.ai.pipeline.call import Next
from workers.ai.pipeline.opening import open_models


@dataclass(frozen=True, slots=True)
class Resources(WithLoops):
    """What the jobs work with."""

    ask: Next
    """Asks a model: the whole pipeline."""
    registry: ModelRegistry
    default_models: tuple[str, ...]
    documents: DocumentStore
    prompts: Prompts
    prompt_tests: PromptTests
    checkpoints: Checkpoints
    ledger: Ledger
    processors: Processors
    """For what computes longer than a few milliseconds."""
    loops: tuple[Loop, ...]

    def candidates(self, named: tuple[str, ...] | None, purpose: Purpose) -> tuple[str, ...]:
        """The models that are tried, best first: those that the job names, or else those of the deployment."""
        return named or self.registry.candidates(purpose, self.default_models)

    def leave_processor(self, named: tuple[str, ...] | None, purpose: Purpose) -> None:
        """A job whose model is elsewhere waits rather than computes: thousands may do so while one computes."""
        run = at_work.get()
        if run is not None and not self._computes_here(self.candidates(named, purpose)[0]):
            run.needs_no_processor()

    def _computes_here(self, model: str) -> bool:
        spec = self.registry.models.get(model)
        return spec is None or self.registry.providers[spec.provider].api is Api.OFFLINE


@asynccontextmanager
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    """Opens them once the child processes are warm; those end with the block."""
    registry = load(settings.ai_models_file)
    async with AsyncExitStack() as stack:
        processors = await stack.enter_async_context(processor_pool(settings.cpu_processes, prepared))
        sealer = await stack.enter_async_context(keyring(settings))
        documents = await stack.enter_async_context(document_store(settings, sealer))
        stored_prompts = await stack.enter_async_context(prompts(settings, sealer))
        models = await stack.enter_async_context(open_models(settings, registry, processors, sealer))
        await processors.warm()
        yield Resources(
            ask=models.ask,
            registry=registry,
            default_models=settings.ai_models,
            documents=documents,
            prompts=stored_prompts,
            prompt_tests=stored_prompts,
            checkpoints=models.checkpoints,
            ledger=models.ledger,
            processors=processors,
            loops=models.loops,
        )


def prepared() -> None:
    """Loads what the first document would otherwise wait for. For each child process, when it starts."""
    identifier()
