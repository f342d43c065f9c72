"""The bus's certificates: what is renewed, what stays, and how one authority follows another."""

import datetime as dt
import stat

import pytest

from infra import bus_authority, bus_keys, deployment_keys
from infra.bus_authority import CURRENT, NEXT, AuthorityError
from infra.bus_keys import BUNDLE, CERTIFICATE, KEY

SERVERS = ("nats-1", "10.1.2.3")
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def nats(tmp_path):
    return tmp_path / "nats"


@pytest.fixture
def kept_in(tmp_path):
    return tmp_path / "authority"


@pytest.fixture
def made(nats, kept_in):
    bus_keys.write_certificates(nats, SERVERS, kept_in=kept_in)


def files(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def certificate(nats):
    return bus_keys._certificate(nats / CERTIFICATE)


def days_left(moment):
    return (moment - NOW) / dt.timedelta(days=1)


@pytest.mark.usefixtures("made")
def test_the_authority_is_kept_apart_for_its_owner_alone(nats, kept_in):
    assert {path.name for path in nats.iterdir()} == {BUNDLE, CERTIFICATE, KEY}
    assert b"PRIVATE KEY" not in (nats / BUNDLE).read_bytes()
    assert stat.S_IMODE(kept_in.stat().st_mode) == 0o700
    assert stat.S_IMODE((kept_in / CURRENT).stat().st_mode) == 0o400
    authority = bus_authority.read(kept_in / CURRENT)
    certificate(nats).verify_directly_issued_by(authority.certificate)
    assert 396 < days_left(bus_keys.good_until(nats)) < 397.1
    assert 5 * 365 - 1 < days_left(authority.certificate.not_valid_after_utc) < 5 * 365 + 0.1


@pytest.mark.usefixtures("made")
def test_writing_again_changes_nothing(nats, kept_in):
    before = files(nats)
    bus_keys.write_certificates(nats, SERVERS, kept_in=kept_in)
    assert files(nats) == before


@pytest.mark.usefixtures("made")
def test_a_renewed_certificate_is_the_same_authoritys_for_the_same_names(nats, kept_in):
    before, kept = files(nats), files(kept_in)
    bus_keys.renew(nats, kept_in)
    after = files(nats)
    assert after[BUNDLE] == before[BUNDLE]
    assert files(kept_in) == kept
    assert after[CERTIFICATE] != before[CERTIFICATE]
    assert after[KEY] != before[KEY]
    assert bus_keys._names_in(nats / CERTIFICATE) == {*SERVERS, "localhost", "127.0.0.1"}
    [authority] = bus_keys.trusted_in(nats)
    certificate(nats).verify_directly_issued_by(authority)


@pytest.mark.usefixtures("made")
def test_other_servers_are_signed_by_the_kept_authority(nats, kept_in):
    bundle = (nats / BUNDLE).read_bytes()
    bus_keys.write_certificates(nats, ("nats-9",), kept_in=kept_in)
    assert (nats / BUNDLE).read_bytes() == bundle
    assert "nats-9" in bus_keys._names_in(nats / CERTIFICATE)


@pytest.mark.parametrize(
    "step",
    [
        bus_keys.renew,
        bus_keys.sign_by_next,
        bus_keys.forget_last,
        lambda nats, kept_in: bus_keys.write_certificates(nats, ("nats-9",), kept_in=kept_in),
    ],
)
def test_without_the_authority_nothing_is_changed(step, nats, kept_in):
    bus_keys.write_certificates(nats, SERVERS)
    before = files(nats)
    with pytest.raises(AuthorityError):
        step(nats, kept_in)
    assert files(nats) == before
    assert not kept_in.exists()


@pytest.mark.usefixtures("made")
def test_an_authority_that_nobody_trusts_signs_nothing(nats, kept_in):
    before = files(nats)
    (kept_in / CURRENT).unlink()
    bus_authority.fresh().keep(kept_in / CURRENT)
    for step in (bus_keys.renew, bus_keys.forget_last):
        with pytest.raises(AuthorityError, match=r"not one that ca\.pem trusts"):
            step(nats, kept_in)
    bus_authority.fresh().keep(kept_in / NEXT)
    with pytest.raises(AuthorityError, match="trust comes first"):
        bus_keys.sign_by_next(nats, kept_in)
    assert files(nats) == before


def test_a_damaged_authority_is_an_error_that_names_it(nats, kept_in):
    bus_keys.write_certificates(nats, SERVERS, kept_in=kept_in)
    other = kept_in / "other.pem"
    bus_authority.fresh().keep(other)
    mixed = other.read_bytes().partition(b"-----BEGIN CERTIFICATE")[0]
    mixed += (nats / BUNDLE).read_bytes()
    for data in (b"", b"nonsense", (nats / BUNDLE).read_bytes(), mixed):
        (kept_in / CURRENT).unlink()
        (kept_in / CURRENT).write_bytes(data)
        with pytest.raises(AuthorityError, match=CURRENT):
            bus_keys.renew(nats, kept_in)


@pytest.mark.parametrize("is_kept", [True, False])
def test_one_authority_follows_another_in_three_steps(is_kept, nats, kept_in):
    """The first may be one that nobody kept: so a desk from before authorities were kept goes."""
    bus_keys.write_certificates(nats, SERVERS, kept_in=kept_in if is_kept else None)
    [first] = bus_keys.trusted_in(nats)
    shown = files(nats)[CERTIFICATE]

    bus_keys.trust_next(nats, kept_in)
    both = bus_keys.trusted_in(nats)
    bus_keys.trust_next(nats, kept_in)
    assert bus_keys.trusted_in(nats) == both
    assert both[0] == first
    assert len(both) == 2
    assert files(nats)[CERTIFICATE] == shown
    if not is_kept:
        with pytest.raises(AuthorityError, match="there is no authority"):
            bus_keys.forget_last(nats, kept_in)

    bus_keys.sign_by_next(nats, kept_in)
    assert bus_keys.trusted_in(nats) == both
    certificate(nats).verify_directly_issued_by(both[1])
    assert {path.name for path in kept_in.iterdir()} == {CURRENT}, "the first one's key is gone"

    bus_keys.forget_last(nats, kept_in)
    bus_keys.forget_last(nats, kept_in)
    assert bus_keys.trusted_in(nats) == both[1:]
    bus_keys.renew(nats, kept_in)
    certificate(nats).verify_directly_issued_by(both[1])
    assert both[0].subject != both[1].subject


@pytest.mark.usefixtures("made")
def test_a_change_is_taken_back_until_the_next_authority_signs(nats, kept_in):
    before = files(nats)
    bus_keys.trust_next(nats, kept_in)
    bus_keys.forget_last(nats, kept_in)
    assert files(nats) == before
    with pytest.raises(AuthorityError, match="trust comes first"):
        bus_keys.sign_by_next(nats, kept_in)


@pytest.mark.usefixtures("made")
def test_nobody_is_forgotten_while_servers_show_a_certificate_of_theirs(nats, kept_in):
    bus_keys.trust_next(nats, kept_in)
    (kept_in / NEXT).replace(kept_in / CURRENT)  # as if it had signed
    with pytest.raises(AuthorityError, match="sign comes first"):
        bus_keys.forget_last(nats, kept_in)


def test_no_certificate_outlives_its_authority():
    authority = bus_authority.fresh(dt.timedelta(days=30))
    pem, _ = authority.sign(SERVERS)
    found = bus_authority.x509.load_pem_x509_certificate(pem)
    assert found.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_the_authority_is_never_where_containers_look(tmp_path, capsys):
    for folder in (tmp_path, tmp_path / "nats" / "authority"):
        with pytest.raises(SystemExit) as ended:
            deployment_keys.main([str(tmp_path), "--authority", str(folder)])
        assert ended.value.code == 2
        assert "which containers see" in capsys.readouterr().err
    default = deployment_keys.authority_folder(tmp_path)
    assert not default.is_relative_to(tmp_path)


def test_there_is_nothing_to_renew_before_there_is_a_certificate(tmp_path, capsys):
    assert deployment_keys.main([str(tmp_path / "none"), "--renew"]) == 1
    assert "there is no certificate" in capsys.readouterr().err


@pytest.mark.usefixtures("made")
def test_what_is_told_of_an_authority_is_whether_it_is_there(nats, kept_in, capsys):
    deployment_keys.say_until(nats, kept_in)
    assert f"the authority is in {kept_in}:" in capsys.readouterr().out
    (kept_in / CURRENT).unlink()
    deployment_keys.say_until(nats, kept_in)
    assert f"no authority is in {kept_in}:" in capsys.readouterr().out
