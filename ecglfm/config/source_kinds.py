"""The kinds of database there are: which adapter reads each, from which tables, and where it is fetched from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of database.

    Attributes
    ----------
    adapter : str
        `module:class` of its `ecglfm.sources.base.Source`; a name only, so that Snakemake need not import it.
    tables : tuple of str
        Tables that its index is made from, relative to the root; `{institution}` stands for each of them.
    options : tuple of str
        Keys of `SourceConfig` that only some kinds take, and this one does.
    required : tuple of str
        Those of them that it cannot do without.
    home : str or None
        URL that `download` fetches it from: a folder with SHA256SUMS.txt, a record of Zenodo's API, or an article or a
        collection of figshare's.
    page : str or None
        Where people get it: of a database that has no `home`, whose `home` may refuse a program, or that is handed out
        to those who apply for it.
    credentialed : bool
        Access is applied for at `page`.
    """

    adapter: str
    tables: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    home: str | None = None
    page: str | None = None
    credentialed: bool = False


_PHYSIONET = "https://physionet.org/files"

#: Every kind but `synthetic`, which writes a database of one of these. A new kind is one file and one line here.
KINDS: dict[str, Kind] = {
    "ptbxl": Kind(
        "ecglfm.sources.databases.ptbxl:PtbXl",
        ("ptbxl_database.csv", "scp_statements.csv"),
        ("rate", "checks"),
        home=f"{_PHYSIONET}/ptb-xl/1.0.3/",
    ),
    "mimic_iv_ecg": Kind(
        "ecglfm.sources.databases.mimic_iv_ecg:MimicIvEcg",
        ("record_list.csv", "machine_measurements.csv"),
        ("checks",),
        home=f"{_PHYSIONET}/mimic-iv-ecg/1.0/",
    ),
    "challenge2021": Kind(
        "ecglfm.sources.databases.challenge2021:Challenge2021",
        (),
        ("databases", "checks", "patients"),
        home=f"{_PHYSIONET}/challenge-2021/1.0.3/",
    ),
    "ludb": Kind("ecglfm.sources.databases.ludb:Ludb", ("ludb.csv",), ("checks",), home=f"{_PHYSIONET}/ludb/1.0.1/"),
    "wfdb_folder": Kind(
        "ecglfm.sources.folders.wfdb_folder:WfdbFolder", (), ("table", "columns", "leads", "file_leads", "checks")
    ),
    "code15": Kind(
        "ecglfm.sources.databases.code15:Code15", ("exams.csv",), home="https://zenodo.org/api/records/4916206"
    ),
    "code_test": Kind(
        "ecglfm.sources.databases.code_test:CodeTest",
        ("attributes.csv", "annotations/gold_standard.csv"),
        page="https://doi.org/10.5281/zenodo.3765780",
    ),
    "sph": Kind(
        "ecglfm.sources.databases.sph:Sph",
        ("metadata.csv", "code.csv"),
        home="https://api.figshare.com/v2/collections/5779802",
        page="https://doi.org/10.6084/m9.figshare.c.5779802",
    ),
    "echonext": Kind(
        "ecglfm.sources.databases.echonext:EchoNext",
        ("echonext_metadata_100k.csv",),
        home=f"{_PHYSIONET}/echonext/1.1.0/",
        page="https://physionet.org/content/echonext/",
        credentialed=True,
    ),
    "numpy_folder": Kind(
        "ecglfm.sources.folders.numpy_folder:NumpyFolder",
        options=("table", "columns", "sampling_rate", "leads", "file_leads", "unit"),
        required=("table", "sampling_rate", "file_leads"),
    ),
    "array_folder": Kind(
        "ecglfm.sources.folders.array_folder:ArrayFolder",
        options=("table", "columns", "sampling_rate", "leads", "file_leads", "unit", "array", "axes", "ids"),
        required=("table", "sampling_rate", "file_leads", "array", "axes"),
    ),
    "heedb": Kind(
        "ecglfm.sources.databases.heedb:Heedb",
        (
            "{institution}/metadata/metadata.csv",
            "{institution}/12SL_diagnoses/diagnoses_acquisition.csv",
            "{institution}/12SL_diagnoses/diagnoses_v24.csv",
        ),
        ("institutions", "checks"),
        page="https://bdsp.io/content/heedb/",
        credentialed=True,
    ),
    "cardiosoft_xml": Kind(
        "ecglfm.sources.devices.cardiosoft_xml:CardioSoftXml",
        (),
        ("table", "columns", "leads", "file_leads", "people", "visits"),
        page="https://www.ukbiobank.ac.uk/enable-your-research/apply-for-access",
        credentialed=True,
    ),
    "vendor_files": Kind(
        "ecglfm.sources.devices.vendor_files:VendorFiles", (), ("table", "columns", "leads", "file_leads", "checks")
    ),
    "muse_xml": Kind("ecglfm.sources.devices.muse_xml:MuseXml", (), ("table", "columns", "leads", "file_leads")),
}
