# discover, phenotypes: features against ECG biomarkers, survival, and what of the ECG they look at.
# Requires: features and people.
# Makes: tables and figures below <results>/discover/{encoder}.
