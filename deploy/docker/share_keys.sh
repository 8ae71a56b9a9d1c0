#!/bin/sh
# Makes the keys, and puts each where only its own container sees it: /share/NAME/keys/NAME.key, for the names given.
# The hub keeps /state; the router gets the policy (public keys only). Nothing that exists changes.
set -eu
umask 077
owner=1000:1000

sisock init --principals "hub,cli,page,$(echo "$@" | tr ' ' ',')"
for name in "$@"; do
    mkdir -p "/share/$name/keys"
    cp "/state/keys/$name.key" "/share/$name/keys/"
    chown -R "$owner" "/share/$name"
done
mkdir -p /share/router/router
cp /state/router/policy.json /share/router/router/
chown -R "$owner" /state /share/router

# The bridge's token, and the password of Grafana's admin. Grafana runs under another user; both mount this folder only.
for secret in bridge.token grafana.password; do
    [ -s "/share/secrets/$secret" ] || python3 -c 'import secrets; print(secrets.token_urlsafe(32))' > "/share/secrets/$secret"
    chmod 444 "/share/secrets/$secret"
done
chmod 755 /share/secrets

# What Grafana reads at its start is written by somebody who is not root.
[ ! -d /share/provisioning ] || chown "$owner" /share/provisioning
