"""What was not checked is never taken for well."""

from infra.dependency_audit import LOCK_FILES, ROOT, audit_file, named_in, read

NAMED = ["aiohttp==1.0", "Rich==2.0"]


def dependency(name, *advisories):
    return {"name": name, "version": "1", "vulns": [{"id": one} for one in advisories]}


def test_all_well():
    answer = {"dependencies": [dependency("aiohttp"), dependency("rich")]}
    audit = read("x.lock", answer, "", NAMED)
    assert (audit.exit_code, audit.checked, audit.unchecked) == (0, NAMED, [])


def test_a_vulnerability_is_named():
    answer = {"dependencies": [dependency("aiohttp", "PYSEC-1"), dependency("rich")]}
    audit = read("x.lock", answer, "", NAMED)
    assert (audit.exit_code, audit.vulnerable) == (1, {"aiohttp==1.0": ["PYSEC-1"]})


def test_a_source_that_knows_none_of_the_packages_has_checked_nothing():
    skipped = {"name": "rich", "skip_reason": "not found"}
    audit = read("x.lock", {"dependencies": [dependency("aiohttp"), skipped]}, "", NAMED)
    assert (audit.exit_code, audit.unchecked) == (2, ["Rich==2.0"])


def test_a_package_that_the_answer_leaves_out_was_not_checked():
    audit = read("x.lock", {"dependencies": []}, "", NAMED)
    assert (audit.exit_code, audit.unchecked) == (2, NAMED)


def test_no_answer_is_no_check(monkeypatch):
    monkeypatch.setattr("infra.dependency_audit.ask", lambda *_: (None, "no route"))
    for lock_file in LOCK_FILES:
        audit = audit_file(None, lock_file)
        assert audit.exit_code == 2
        assert audit.unchecked == named_in(ROOT / lock_file)
        assert len(audit.unchecked) > 10
        assert audit.reasons == ["no route", "no route"]


def test_the_second_source_is_asked_about_what_is_left(monkeypatch):
    named = named_in(ROOT / LOCK_FILES[0])
    names = [package.partition("==")[0] for package in named]
    answers = {
        "pypi": {"dependencies": [dependency(name) for name in names[:-1]]},
        "osv": {"dependencies": [dependency(names[-1], "OSV-1")]},
    }
    monkeypatch.setattr("infra.dependency_audit.ask", lambda *asked: (answers[asked[2]], ""))
    audit = audit_file(None, LOCK_FILES[0])
    assert audit.checked == named
    assert audit.vulnerable == {named[-1]: ["OSV-1"]}
    assert audit.exit_code == 1
