# leaderboard: encoders x label sets x modes of the config on one page, with leaks, licences, sizes, speeds and costs.
# Requires: every evaluation, the comparison of every task, every encoder.
# Makes: <results>/leaderboard/size/{encoder}.json, index.html, leaderboard.json, leaderboard.csv.


rule leaderboard_encoder:
    input:
        encoder="<results>/pretrain/{encoder}/encoder.safetensors",
    output:
        "<results>/leaderboard/size/{encoder}.json",
    log:
        "<results>/logs/leaderboard/{encoder}.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        encoder=subpath(input.encoder, parent=True),
    shell:
        "python -m ecglfm encoder-size --encoder {params.encoder:q} --output {output:q} --threads {threads} 2> {log:q}"


rule leaderboard:
    input:
        require("encoders", "tasks"),
        config="<results>/config/leaderboard.yaml",
        evaluation="<results>/config/evaluate.yaml",
        comparisons=expand("<results>/evaluate/comparison/{task}.json", task=TASKS),
        metrics=rules.evaluate_all.input.metrics,
        sizes=expand("<results>/leaderboard/size/{encoder}.json", encoder=ENCODERS),
    output:
        page=report(
            "<results>/leaderboard/index.html",
            caption="../report/leaderboard.rst",
            category="Evaluation",
            labels={"encoder": "all", "fit": "all", "what": "leaderboard"},
        ),
        numbers="<results>/leaderboard/leaderboard.json",
        table="<results>/leaderboard/leaderboard.csv",
    log:
        "<results>/logs/leaderboard.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(output.page, ancestor=2),
        models=expand("{encoder}/{task}/{fit}", only_fits, encoder=ENCODERS, task=TASKS, fit=FITS),
    shell:
        "python -m ecglfm leaderboard --config {input.config:q} --evaluation {input.evaluation:q}"
        " --results {params.results:q} --include {params.models:q} 2> {log:q}"
