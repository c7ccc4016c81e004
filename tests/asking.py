"""`python -m tests.asking TENANT TEXT…`: a process with a pipeline of its own. Says `ready`, waits for a line, asks all of it at
once, and prints what was answered as one line of JSON."""

import asyncio
import json
import sys
from uuid import UUID, uuid4

from infrastructure import settings as settings_module
from monitoring.logs.logging import configure
from tests.model_calls import opened, question


async def main(tenant_id: UUID, texts: list[str]) -> None:
    settings = settings_module.load()
    configure(settings.log_level, settings.log_format, process="asking")
    async with opened(settings) as models:
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            job_id = UUID(line.split()[1]) if " " in line else uuid4()
            calls = [question(tenant_id, text, job_id=job_id) for text in texts]
            replies = await asyncio.gather(*(models.ask(call) for call in calls), return_exceptions=True)
            print(json.dumps([_said(reply) for reply in replies]), flush=True)


def _said(reply: object) -> dict[str, str]:
    if isinstance(reply, BaseException):
        return {"error": repr(reply)}
    return {"text": getattr(reply, "text", ""), "cache": str(getattr(reply, "cache", ""))}


if __name__ == "__main__":
    asyncio.run(main(UUID(sys.argv[1]), sys.argv[2:]))
