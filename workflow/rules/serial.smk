# serial: how much of a score, or of an embedding, is the person and stays, by the time between recordings.
# Requires: an evaluation of every model, a vector of every recording from every encoder, the index of every database.
# Makes: <results>/serial/index.html, serial.json, serial.csv, serial.png.


rule serial:
    input:
        require("encoders", "tasks"),
        config="<results>/config/serial.yaml",
        metrics=expand(
            "<results>/evaluate/{encoder}/{task}/{fit}/metrics.json",
            only_fits,
            encoder=ENCODERS,
            task=TASKS,
            fit=FITS,
        ),
        vectors=expand("<results>/embed/{encoder}/{source}.parquet", encoder=ENCODERS, source=SOURCES),
        index=expand("<results>/index/{source}.parquet", source=SOURCES),
        records="<results>/manifest/records.parquet",
    output:
        page="<results>/serial/index.html",
        numbers="<results>/serial/serial.json",
        table="<results>/serial/serial.csv",
        plot=report(
            "<results>/serial/serial.png",
            caption="../report/serial.rst",
            category="Evaluation",
            labels={"encoder": "all", "fit": "all", "what": "serial ECGs"},
        ),
    log:
        "<results>/logs/serial.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(output.page, ancestor=2),
        include=expand("{encoder}/{task}/{fit}", only_fits, encoder=ENCODERS, task=TASKS, fit=FITS),
        encoders=ENCODERS,
    shell:
        "python -m ecglfm serial --config {input.config:q} --results {params.results:q} --include {params.include:q}"
        " --encoders {params.encoders:q} 2> {log:q}"
