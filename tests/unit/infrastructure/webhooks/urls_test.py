"""Whatever a URL is made to look like, a webhook goes to public addresses only."""

import pytest

from infrastructure.webhooks.addresses import address_of, is_public
from infrastructure.webhooks.urls import UrlRefused, target_of

HOSTILE = [
    "http://example.com/",
    "ftp://example.com/",
    "//example.com/",
    "example.com",
    "https://",
    "https:///path",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://127.0.0.01/",
    "https://0/",
    "https://0x/",
    "https://10.0.0.1/",
    "https://172.16.9.9/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://198.18.0.1/",
    "https://192.0.0.8/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[2002:7f00:1::]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::7f00:1]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fec0::1]/",
    "https://[2001:db8::1]/",
    "https://[v1.x]/",
    "https://example.com@127.0.0.1/",
    "https://user:pass@example.com",
    "https://@example.com/",
    "https://example.com#@10.0.0.1/",
    "https://example.com\\@10.0.0.1",
    "https://example.com\\.evil/",
    "https://example.com%2e/",
    "https://example.com%00.evil/",
    "https://example.com./",
    "https://127.0.0.1./",
    "https://.example.com/",
    "https://exa..mple.com/",
    "https://１２７.０.０.１/",
    "https://127。0。0。1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://ex%41mple.com/",
    "https://-example.com/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:99999/",
    "https://example.com:x/",
    "https://example.com/ü",
    "https://*.example.com/",
    "http://localhost:8080/",
]

TAKEN = {
    "https://example.com": "https://example.com/",
    "HTTPS://EXAMPLE.com:443/a?b=c": "https://example.com/a?b=c",
    "https://example.com:8443?x": "https://example.com:8443/?x",
    "https://bücher.example/": "https://xn--bcher-kva.example/",
    "https://a_b.example/": "https://a_b.example/",
    "https://8.8.8.8/": "https://8.8.8.8/",
    "https://[2606:4700:0::1111]/": "https://[2606:4700::1111]/",
    "https://example.com/@me": "https://example.com/@me",
}


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        target_of(url)


@pytest.mark.parametrize("character", [" ", "\t", "\n", "\r", "\x00", "\x7f"])
def test_a_character_that_readers_skip_is_refused(character: str) -> None:
    # Python's own reader drops tabs and line ends without a word.
    with pytest.raises(UrlRefused):
        target_of(f"https://example.com/{character}@10.0.0.1")


@pytest.mark.parametrize(("url", "spelled"), TAKEN.items())
def test_a_url_is_kept_in_one_spelling(url: str, spelled: str) -> None:
    assert target_of(url).url == spelled
    assert target_of(spelled).url == spelled


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://[::1]:9/x", "http://localhost:9/x"])
def test_only_development_may_reach_loopback(url: str) -> None:
    assert target_of(url, loopback_allowed=True).url == url
    with pytest.raises(UrlRefused):
        target_of(url)


@pytest.mark.parametrize("url", ["http://example.com/", "http://10.0.0.1/", "https://10.0.0.1/", "http://8.8.8.8/"])
def test_development_opens_loopback_and_nothing_else(url: str) -> None:
    with pytest.raises(UrlRefused):
        target_of(url, loopback_allowed=True)


@pytest.mark.parametrize("text", ["1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "2a00:1450::1"])
def test_what_everybody_can_reach_is_public(text: str) -> None:
    assert is_public(address_of(text))
