#!/bin/sh
# Build libyunwangsm.so from this folder: build.sh OUT. Needs Go 1.21 or later and a C compiler; go.sum pins the sources.
set -eu
out=$(realpath -m "${1:?give the file to write, e.g. ./libyunwangsm.so}")
cd "$(dirname "$0")"
version=$(sed -n 's/^require github.com\/emmansun\/gmsm v//p' go.mod)
grep -q "const library = \"gmsm $version\"" accelerator.go || { echo "accelerator.go names another version than go.mod" >&2; exit 1; }
CGO_ENABLED=1 go build -trimpath -buildvcs=false -buildmode=c-shared -ldflags='-s -w' -o "$out" .
rm -f "${out%.so}.h"
