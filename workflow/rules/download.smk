# download: public databases from their homes. Nothing depends on it: it runs when it is asked for by name.
# Requires: the network, for the sources that have a public home (or `download: {url: …}`) and no files at their root
# yet, or files that this rule brought.
# Makes: the files below those roots. It has no output, so that it looks each time; what is there is not fetched again.


rule download:
    input:
        expand("<results>/config/download/{source}.yaml", source=get_downloads()),
    log:
        "<results>/logs/download.log",
    localrule: True
    conda:
        "../../envs/ecglfm.yaml"
    shell:
        "python -m ecglfm download --config {input:q} 2>&1 | tee {log:q}"
