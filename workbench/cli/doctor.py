"""What this machine lacks, in words."""

from workbench.cli.console import DONE, NOTHING_WORKED, JsonOption, leave, say, show

_SIGNS = {"ok": "ok       ", "optional": "optional ", "missing": "MISSING  "}


def doctor(as_json: JsonOption = False) -> None:
    """Check this machine: what is installed, what is missing, and how to fix it.

    Example: workbench doctor
    """
    from dataclasses import asdict

    from pipelines.study import project_root
    from workbench.status.doctor import examine

    findings = examine(project_root())
    sound = all(finding.state != "missing" for finding in findings)

    def people() -> None:
        for finding in findings:
            say(f"{_SIGNS[finding.state]} {finding.name}: {finding.found}")
            if finding.advice:
                say(f"           {finding.advice}")
        say("Ready." if sound else "Mend what is missing, then run this again.")

    document = {"ok": sound, "findings": [asdict(finding) for finding in findings]}
    show(document, as_json=as_json, people=people)
    leave(DONE if sound else NOTHING_WORKED)
