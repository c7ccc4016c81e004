"""Which addresses a webhook may go to: public ones, and nothing that leads back into our own networks."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# The IANA special-purpose registries, written out: what `is_global` says of some of them changed between Pythons.
_CLOSED = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # Azure's own metadata and DNS, at a public address
            *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),  # Teredo, documentation, 6to4
        ),
    )
)
# Outside it lie loopback, link-local, unique local, site-local, multicast, IPv4-mapped, IPv4-compatible and NAT64.
_GLOBAL_UNICAST = ip_network("2000::/3")


def address_of(text: str) -> IPv4Address | IPv6Address:
    """The address, or ValueError. A scope (`fe80::1%eth0`) is no part of it."""
    return ip_address(text.partition("%")[0])


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is on the public internet."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in closed for closed in _CLOSED)
