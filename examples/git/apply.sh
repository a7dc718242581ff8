#!/bin/sh
# Commits a step of `turnout roll` to git and pushes it. The policy is on standard input. It becomes the file
# policy.json of the repository at the address TURNOUT_REPOSITORY.
set -eu

clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git clone --quiet --depth 1 "$TURNOUT_REPOSITORY" "$clone"
cat > "$clone/policy.json"
cd "$clone"
git add policy.json
# The step is already there if the command was killed after an earlier push.
if git diff --cached --quiet; then
    exit 0
fi
git -c user.name=turnout-roll -c user.email=turnout-roll@example.com commit --quiet \
    --message "$TURNOUT_ROLLOUT: $TURNOUT_ACTION $TURNOUT_STEP" --message "$TURNOUT_WHY" \
    --message "Revision: $TURNOUT_REVISION"
# Fails if someone else has pushed since. `turnout roll` tries again, with a new clone.
git push --quiet origin HEAD
