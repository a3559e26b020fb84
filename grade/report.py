"""One record, many outputs: text, JSON, JUnit XML, CSV, Gradescope's results.json, what GitHub Classroom and Classroom 50 read."""
import csv
import io
import json
import os
import textwrap
import time
from xml.sax.saxutils import escape, quoteattr

import messages

WIDTH = 110
NAME = 16            # of the longest check


def again(record, result, debug=False):
    words = f"make grade LAB={record['lab']} CHECK={result['id']}"
    if result["seed"]:
        words += f" SEED={result['seed']}"
    if result["cpus"] > 1:
        words += f" CPUS={result['cpus']}"
    return words + (" GDB=1" if debug else "")


def fold(label, text, indent=8):
    return textwrap.fill(label.strip() + " " + text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 4),
                         break_on_hyphens=False, break_long_words=False)


def text_line(record, result, language, verbose=False):
    """One check, with what helps when it failed."""
    t = lambda key: messages.say(key, language)
    title = result["title"][language]
    if result["status"] == "skip":
        return f"  {t('skip'):8} {result['id']:{NAME}} {0:3}/{result['points']:<3} {title}  ({t('needs')} {result['seen']})"
    good = result["status"] == "pass"
    line = f"  {t('ok') if good else t('FAIL'):8} {result['id']:{NAME}} {result['earned']:3}/{result['points']:<3} {title}"
    if good:
        return line
    ending = result["ending"]
    word = messages.say(ending, language, messages.ENDINGS) + ":" if ending not in ("", "done") else ""
    both = word and ending != "build" and result["detail"] not in result["seen"]     # an expectation, and how it all ended
    lines = [line, fold(t("expected"), result["seen"] if both else f"{word} {result['seen']}".strip())]
    if both:
        lines.append(fold(word, result["detail"]))
    if result["hint"][language]:
        lines.append(fold(t("hint"), result["hint"][language]))
    if ending != "build":
        seed = f"  ({t('seed')} {result['seed']})" if result["seed"] else ""
        lines.append(fold(t("again"), again(record, result)) + seed)
        if not result["outside"]:
            lines.append(fold(t("debug"), again(record, result, True)))
    if verbose or ending in ("panic", "trap", "deadlock", "livelock", "build", "reboot", "silent", "off"):
        lines += ["          | " + more for more in result["more"][:14 if not verbose else 60]]
    return "\n".join(lines)


def text_total(record, language):
    t = lambda key: messages.say(key, language)
    passed = sum(result["status"] == "pass" for result in record["checks"])
    return (f"  {t('total')}: {record['earned']} {t('of')} {record['points']} {t('points')}, "
            f"{passed} {t('of')} {len(record['checks'])} {t('passed')}, {record['seconds']} s")


def text(records, language):
    lines = []
    for record in records:
        lines.append(f"{messages.say('lab', language)} {record['number']} {record['title'][language]}")
        lines += [text_line(record, result, language) for result in record["checks"]] + [text_total(record, language)]
    return "\n".join(lines) + "\n"


def as_json(records):
    return json.dumps({"version": 1, "labs": records, "earned": sum(r["earned"] for r in records),
                       "points": sum(r["points"] for r in records)}, indent=1, ensure_ascii=False) + "\n"


def visible(text):
    """Without what XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or ord(c) >= 32 and not 0xD800 <= ord(c) < 0xE000 and c not in "\ufffe\uffff")


def details(record, result, language):
    return visible("\n".join([text_line(record, result, language, verbose=True)]))


def as_junit(records, language):
    out = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for record in records:
        checks = record["checks"]
        out.append(f'<testsuite name={quoteattr(record["lab"])} tests="{len(checks)}" '
                   f'failures="{sum(c["status"] == "fail" for c in checks)}" skipped="{sum(c["status"] == "skip" for c in checks)}" '
                   f'time="{record["seconds"]}">')
        for result in checks:
            name = quoteattr(f"{result['id']} {result['title'][language]}")
            out.append(f'<testcase classname={quoteattr(record["lab"])} name={name}>')
            if result["status"] == "fail":
                out.append(f'<failure message={quoteattr(visible(result["seen"]))}>{escape(details(record, result, language))}</failure>')
            elif result["status"] == "skip":
                out.append(f'<skipped message={quoteattr(visible(result["seen"]))}/>')
            out.append("</testcase>")
        out.append("</testsuite>")
    return "\n".join(out + ["</testsuites>", ""])


def as_csv(records):
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["lab", "check", "points", "earned", "status", "ending", "seed", "seen"])
    for record in records:
        for r in record["checks"]:
            writer.writerow([record["lab"], r["id"], r["points"], r["earned"], r["status"], r["ending"], r["seed"], visible(r["seen"])])
    return file.getvalue()


def as_gradescope(records, language):
    """https://gradescope-autograders.readthedocs.io/en/latest/specs/#output-format"""
    tests = []
    for record in records:
        for r in record["checks"]:
            tests.append({"name": f"{r['id']} {r['title'][language]}", "number": f"{record['number']}.{r['id']}", "score": r["earned"],
                          "max_score": r["points"], "status": "passed" if r["status"] == "pass" else "failed",
                          "output": details(record, r, language), "output_format": "text",
                          "visibility": "after_published" if r["hidden"] else "visible", "tags": [record["lab"], r["status"]]})
    return json.dumps({"score": sum(r["earned"] for r in records), "execution_time": int(sum(r["seconds"] for r in records)),
                       "output": "", "visibility": "visible", "stdout_visibility": "hidden", "tests": tests},
                      indent=1, ensure_ascii=False) + "\n"


def as_classroom(records, language):
    """What GitHub Classroom's autograding-grading-reporter reads (base64, from an output of a step). It knows only pass and others."""
    tests = [{"name": f"{record['lab']}: {r['id']} {r['title'][language]}", "status": "pass" if r["status"] == "pass" else "fail",
              "score": r["earned"], "max_score": r["points"],
              "message": "" if r["status"] == "pass" else visible(r["seen"]), "test_code": again(record, r)}
             for record in records for r in record["checks"]]
    good = all(test["status"] == "pass" for test in tests)
    return json.dumps({"version": 3, "status": "pass" if good else "fail", "max_score": sum(r["points"] for r in records),
                       "score": sum(r["earned"] for r in records), "tests": tests}, indent=1, ensure_ascii=False) + "\n"


def as_classroom50(records, language):
    """https://github.com/foundation50/classroom50/wiki/Advanced-Autograding, the result.json contract; its runner says who and what."""
    said = {"classroom": "CLASSROOM", "assignment": "ASSIGNMENT", "submission": "SUBMISSION_TAG", "commit": "COMMIT_URL",
            "release": "RELEASE_URL", "review": "REVIEW_URL"}
    tests = [{"test-name": f"{record['lab']}: {r['id']} {r['title'][language]}", "passed": r["status"] == "pass", "score": r["earned"],
              "max-score": r["points"], "message": "" if r["status"] == "pass" else visible(r["seen"])}
             for record in records for r in record["checks"]]
    return json.dumps({"schema": "classroom50/result/v1", **{key: os.environ.get(name, "") for key, name in said.items()},
                       "datetime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "score": sum(r["earned"] for r in records),
                       "max-score": sum(r["points"] for r in records), "tests": tests}, indent=1, ensure_ascii=False) + "\n"


def write(records, kind, path, language):
    makers = {"text": lambda: text(records, language), "json": lambda: as_json(records), "junit": lambda: as_junit(records, language),
              "csv": lambda: as_csv(records), "gradescope": lambda: as_gradescope(records, language),
              "classroom": lambda: as_classroom(records, language),
              "classroom50": lambda: as_classroom50(records, language)}
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(makers[kind]())
