"""Every REST call as its own OpenAPI document has it, by schemathesis: what the document allows, and what it does not.

No answer is a 5xx, each is one that the document names, and when all is said nothing is left behind.
"""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import count
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, checks
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from tornado.ioloop import IOLoop

from handlers import openapi
from handlers.routes import ROUTES
from tests.fuzz import footprint
from tests.fuzz.conftest import Budget
from tests.harness import Server

EXAMPLES = 200  # of a round
ENDING = {"logout", "erase_me", "change_password"}  # a token is good for one of these
# Of schemathesis' own. Not that what the document allows is accepted: a schema does not say all there is to say.
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def operations() -> st.SearchStrategy[Case[Any]]:
    schema = schemathesis.openapi.from_dict(openapi.document(ROUTES))
    cases = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        cases.append(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        if operation.body or operation.query or operation.path_parameters:
            cases.append(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    return st.one_of(cases)


def is_wrong(case: Case[Any]) -> bool:
    """Whether body or query are none that the document allows. Ids and tokens are put in after schemathesis was done."""
    meta = case.meta
    assert meta is not None
    negative = [place for place, info in meta.components.items() if info.mode is GenerationMode.NEGATIVE]
    return ParameterLocation.BODY in negative or ParameterLocation.QUERY in negative


class World:
    """A few people, and what they have made: ids that there are."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False
        self.places = count()

    async def settle(self) -> None:
        """Anew for each round, as what there was is deleted in one."""
        self.ann, self.bob = await self.server.people(2)
        self.ids = {
            "land_id": await self.ann.land(x=20 * next(self.places)),
            "session_id": await self.ann.group(self.bob),
            "user_id": self.bob.id,
        }
        path = f"/chat/sessions/{self.ids['session_id']}/messages"
        self.ids["message_id"] = (await self.ann.ok("POST", path, {"content": "x"}))["id"]

    async def send(self, case: Case[Any], *, real_ids: bool, token: str) -> None:
        """With ids that there are, or those that the document allows; with a token, a bad one or none."""
        if real_ids:
            case.path_parameters = {name: self.ids[name] for name in case.path_parameters or {}}
        headers = {"Authorization": f"Bearer {await self.token(case)}"} if token == "good" else {}
        if token == "bad":
            headers = {"Authorization": "Bearer x.y.z"}
        await asyncio.to_thread(self._exchange, case, headers)

    def _exchange(self, case: Case[Any], headers: dict[str, str]) -> None:
        response = case.call(base_url=self.server.api, headers=headers, session=self.session, timeout=20)
        refused = checks.negative_data_rejection
        # That 413 is a refusal too, schemathesis does not know.
        looks = [*CHECKS, refused] if is_wrong(case) and response.status_code != 413 else CHECKS
        case.validate_response(response, checks=looks, headers=headers)

    async def token(self, case: Case[Any]) -> str:
        if case.operation.definition.raw["operationId"] in ENDING:
            (other,) = await self.server.people(1)
            return other.token
        return self.ann.token


def test_every_call_as_documented(server: Server, io_loop: IOLoop, budget: Budget) -> None:
    """See above; a call that the document does not allow is refused, and one that it allows may be."""
    world = World(server)

    def check(examples: int) -> None:
        io_loop.run_sync(world.settle)

        @settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.reuse, Phase.generate),
        )
        @given(operations(), st.booleans(), st.sampled_from(["good", "good", "bad", "none"]))
        def send(case: Case[Any], real_ids: bool, token: str) -> None:
            budget.count("REST calls")
            io_loop.run_sync(partial(world.send, case, real_ids=real_ids, token=token))

        send()

    check(5)
    before = footprint.of(server)
    budget.spend(partial(check, EXAMPLES))
    world.session.close()
    footprint.settles_at(server, io_loop, before)
