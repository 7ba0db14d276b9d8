"""What the names of fields say about their content."""

from __future__ import annotations

import pytest

from ecglfm.app.deidentification.vocabulary import kind_of


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("DateofBirth", "birth date"), ("PatientLastName", "name"), ("OverreaderLastName", "staff"), ("EditorID", "staff"),
        ("HISOrderingMDLastName", "staff"), ("SiteName", "site"), ("bed", "site"), ("RequisitionNumber", "id"), ("PID", "id"),
        ("AcquisitionSoftwareVersion", "vendor"), ("EditDate", "date"), ("validated_by", "unknown"), ("TestReason", "text"),
        ("Hx", "text"), ("PhoneNumber", "contact"), ("UserDefined", "unknown"),
    ],
)  # fmt: skip
def test_kinds(field: str, kind: str) -> None:
    assert kind_of(field) == kind
