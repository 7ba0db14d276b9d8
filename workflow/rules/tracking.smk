# tracking_sync: brings to MLflow what it lacks, after it was out of reach.
# Requires: the journals of earlier runs, <results>/tracking/; nothing is run again for them.
# Makes: nothing under <results>; the same command again changes nothing.


rule tracking_sync:
    log:
        "<results>/logs/tracking_sync.log",
    localrule: True
    conda:
        "../../envs/ecglfm.yaml"
    params:
        tracking=TRACKING,
        results=PROJECT.config.results,
    shell:
        "python -m ecglfm tracking sync {params.results:q} --tracking {params.tracking:q} 2>&1 | tee {log:q}"
