"""Tokens of an OpenID Connect provider: taken when it signed them for us, whatever it rotates; nothing else is."""

import base64
import hmac
import json
import time
from collections.abc import Iterator
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from infrastructure.settings import Settings
from schemas.problems import Problem
from tests.integration.api.oidc_provider import AUDIENCE, Provider
from tests.integration.serving import PROCESS, Tenant, World
from tests.integration.websockets import watcher
from tests.waiting import wait_until


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture
def trusting(api_settings: Settings, provider: Provider) -> Iterator[World]:
    """An ingress that takes the provider's tokens."""
    named = {"oidc_issuer": provider.issuer, "oidc_audience": AUDIENCE, "oidc_jwks_url": f"{provider.issuer}/keys"}
    with World(api_settings.model_copy(update=named)) as world:
        yield world


def test_a_token_speaks_for_the_tenant_it_names_with_the_scopes_it_lists(trusting: World, provider: Provider) -> None:
    tenant = trusting.tenant()
    name = f"acme-{tenant.id}"
    trusting.database.execute("UPDATE tenants SET name = %s WHERE id = %s", (name, tenant.id))
    for named in (str(tenant.id), name):
        with trusting.http(_with(tenant, provider.token(tenant=named))) as http:
            made = http.post(PROCESS, json={"title": "T", "text": "words"})
            assert http.get(f"/api/jobs/{made.json()['id']}").status_code == 200
            assert http.get("/api/api-keys").status_code == 403
    assert trusting.database.execute("SELECT DISTINCT tenant_id FROM jobs").fetchall() == [(tenant.id,)]
    with trusting.http(_with(tenant, provider.token(tenant=name, scope=["jobs:read"]))) as http:
        assert http.post(PROCESS, json={"title": "T", "text": "words"}).status_code == 403
        assert http.get("/api/jobs").status_code == 200
    with watcher(trusting) as watching:
        watching.say(authenticate=provider.token(tenant=name))
        assert watching.hear() == {"authenticated": True}


def test_what_the_provider_didnt_sign_for_us_opens_nothing(trusting: World, provider: Provider) -> None:
    tenant = trusting.tenant()
    named = {"tenant": str(tenant.id)}
    good = provider.token(**named)
    key = RSAAlgorithm.from_jwk(json.dumps(provider.jwks[0]))
    assert isinstance(key, RSAPublicKey)
    public = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(good, options={"verify_signature": False})
    with Provider() as other:
        refused = {
            "alg none": _unsigned({"alg": "none", "kid": "first"}, claims) + ".",
            "the public key as a shared secret": _hs256({"alg": "HS256", "kid": "first"}, claims, public),
            "another key under the same name": other.token(iss=provider.issuer, **named),
            "an address in the header": _unsigned({"alg": "RS256", "kid": "x", "jku": f"{other.issuer}/keys"}, claims)
            + ".AAAA",
            "another audience": provider.token(aud="someone else", **named),
            "another issuer": provider.token(iss="https://elsewhere.example", **named),
            "over for longer than clocks differ": provider.token(exp=int(time.time()) - 40, **named),
            "not yet": provider.token(nbf=int(time.time()) + 60, **named),
            "without an end": provider.token(without="exp", **named),
            "without an audience": provider.token(without="aud", **named),
            "no tenant": provider.token(),
            "a tenant that isn't there": provider.token(tenant="nobody"),
            "a tenant that isn't text": provider.token(tenant=[str(tenant.id)]),
            "changed": good[:-6] + ("AAAAAA" if not good.endswith("AAAAAA") else "BBBBBB"),
            "too long": provider.token(padding="x" * 9_000, **named),
        }
        answers = {}
        with trusting.http() as http:
            for what, token in refused.items():
                answer = http.get("/api/jobs", headers={"authorization": f"Bearer {token}"})
                answers[what] = answer.status_code
            assert http.get("/api/jobs", headers={"authorization": f"Bearer {good}"}).status_code == 200
            late = provider.token(exp=int(time.time()) - 10, **named)
            assert http.get("/api/jobs", headers={"authorization": f"Bearer {late}"}).status_code == 200

        assert answers == dict.fromkeys(refused, 401)
        assert other.asked == 0


HOSTILE_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
HOSTILE_NUMBERS = st.sampled_from(["1e400", "-1", "1" + "0" * 400, "NaN", "Infinity", '"300"', "[[" * 900 + "]]" * 900])
"""As JSON, which Python's own writer wouldn't make of any value."""
NAMES = st.sampled_from(
    ["exp", "nbf", "iat", "iss", "aud", "sub", "jti", "tenant", "scope", "alg", "kid", "typ", "crit"]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.dictionaries(NAMES, HOSTILE_JSON, max_size=2),
    claims=st.dictionaries(NAMES, HOSTILE_JSON, min_size=1, max_size=3),
    name=NAMES,
    number=HOSTILE_NUMBERS,
)
def test_whatever_a_token_holds_the_answer_is_never_a_fault_of_ours(
    trusting: World, provider: Provider, header: dict[str, object], claims: dict[str, object], name: str, number: str
) -> None:
    good_header = {"alg": "RS256", "kid": "first", "typ": "JWT"}
    nobody = str(uuid4())
    good = {"iss": provider.issuer, "aud": AUDIENCE, "sub": "anna", "exp": int(time.time()) + 300, "tenant": nobody}
    literal = json.dumps({**good, name: "LITERAL"}).replace('"LITERAL"', number)
    tokens = [
        provider.signed(json.dumps({**good_header, **header}).encode(), json.dumps(good).encode()),
        provider.signed(json.dumps(good_header).encode(), json.dumps({**good, **claims}).encode()),
        provider.signed(json.dumps(good_header).encode(), literal.encode()),
        provider.signed(literal.encode(), json.dumps(good).encode()),
    ]
    with trusting.http() as http:
        answers = [http.get("/api/jobs", headers={"authorization": f"Bearer {token}"}).status_code for token in tokens]

    assert answers == [401] * len(tokens)


def test_one_unusable_key_of_the_provider_leaves_the_others_good(trusting: World, provider: Provider) -> None:
    tenant = trusting.tenant()
    provider.rotate("weak", "RS256", beside=True, rsa_bits=1_024)
    provider.jwks += [
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA", "kid": "off the curve", "use": "sig"},
        {"kty": "EC", "crv": "no such curve", "x": "AAAA", "y": "AAAA", "kid": "unknown curve"},
        {"kty": "RSA", "n": "", "e": "AQAB", "kid": "empty"},
        {"kty": "RSA", "n": 17, "e": ["AQAB"], "kid": "no numbers"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43, "kid": "for key agreement"},
        {"kty": ["RSA"], "kid": {"a": "list"}},
    ]

    assert _status(trusting, provider.token(tenant=str(tenant.id))) == 200
    assert _status(trusting, provider.token("weak", tenant=str(tenant.id))) == 401


def test_keys_are_rotated_and_an_unknown_one_costs_one_fetch(
    trusting: World, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = trusting.tenant()
    named = str(tenant.id)
    assert _status(trusting, provider.token(tenant=named)) == 200
    monkeypatch.setattr("infrastructure.oidc.keys.BETWEEN_FETCHES_SECONDS", 0.0)
    for key_id, algorithm in (("second", "ES256"), ("third", "EdDSA")):
        provider.rotate(key_id, algorithm, beside=True)
        assert _status(trusting, provider.token(key_id, tenant=named)) == 200
    assert provider.asked == 3

    monkeypatch.setattr("infrastructure.oidc.keys.BETWEEN_FETCHES_SECONDS", 60.0)
    provider.rotate("fourth", "RS256")
    assert [_status(trusting, provider.token("fourth", tenant=named)) for _ in range(10)] == [401] * 10
    assert provider.asked == 3


def test_known_keys_stay_good_while_the_provider_is_away(
    trusting: World, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.oidc.keys.BETWEEN_FETCHES_SECONDS", 0.0)
    tenant = trusting.tenant()
    token = provider.token(tenant=str(tenant.id))
    provider.away = True
    with trusting.http() as http:
        never_had = http.get("/api/jobs", headers={"authorization": f"Bearer {token}"})
    provider.away = False
    assert _status(trusting, token) == 200
    provider.away = True
    monkeypatch.setattr("infrastructure.oidc.keys.FRESH_SECONDS", 0.0)
    asked = provider.asked
    assert [_status(trusting, token) for _ in range(5)] == [200] * 5
    wait_until(lambda: provider.asked > asked, "newer keys are asked for meanwhile")

    assert (never_had.status_code, Problem.model_validate_json(never_had.content).name) == (503, "unavailable")


def test_the_keys_are_found_by_discovery(api_settings: Settings, provider: Provider) -> None:
    named = {"oidc_issuer": provider.issuer, "oidc_audience": AUDIENCE}
    with World(api_settings.model_copy(update=named)) as world:
        assert _status(world, provider.token(tenant=str(world.tenant().id))) == 200


def test_a_token_is_nothing_to_an_ingress_that_trusts_nobody(world: World, provider: Provider) -> None:
    assert _status(world, provider.token(tenant=str(world.tenant().id))) == 401
    assert provider.asked == 0


def _status(world: World, token: str) -> int:
    with world.http() as http:
        return http.get("/api/jobs", headers={"authorization": f"Bearer {token}"}).status_code


def _with(tenant: Tenant, token: str) -> Tenant:
    return Tenant(tenant.id, "", token)


def _unsigned(header: dict[str, str], claims: dict[str, object]) -> str:
    parts = (json.dumps(one).encode() for one in (header, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _hs256(header: dict[str, str], claims: dict[str, object], secret: bytes) -> str:
    # By hand: the library refuses to use a public key so.
    signed = _unsigned(header, claims)
    signature = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
