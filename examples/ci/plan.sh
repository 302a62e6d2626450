#!/bin/sh
# Plans a proposed change and says in one comment what it does. Ends well also when somebody has to
# decide something: the comment says what, and the apply after the merge insists on it.
#
# usage: plan.sh [OPTION OF tcloud plan]…
set -eu

code=0
tcloud plan "$@" --exit-code --out next.tcloud-plan \
    --report markdown=plan.md --report json=plan.json --report junit=plan-junit.xml \
    --report sarif=plan.sarif --report codequality=plan-quality.json \
    --report gitlab-terraform=plan-counts.json || code=$?

case "$code" in
    0 | 2 | 4) tcloud ci comment plan.md ;;
    *) tcloud ci comment --failed; exit "$code" ;;
esac
