#!/usr/bin/env bash
# Builds the foreign 国密 peers that the interop tests meet. tests/peers/build.sh [--where] [NAME…], without names all.
# Each is pinned by version and by digest, built once into ${YW_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/yunwang-peers},
# and appears there whole or not at all. --where prints the folder of each instead. Sources come through cargo, mvn and
# go with this machine's own configuration.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${YW_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/yunwang-peers}
jobs=${YW_JOBS:-$(nproc)}
all=(tongsuo openssl4 gmssl bouncycastle gmtls)

die() {
    printf 'build.sh: %s\n' "$*" >&2
    exit 1
}

# need PROGRAM PACKAGE: stop with the Debian package that brings a missing program
need() {
    command -v "$1" >/dev/null || die "$peer needs $1: apt-get install $2"
}

# folder NAME: the version, for our own programs also the digest of their source, so that a change is built anew
folder() {
    case $1 in
    tongsuo) echo "$cache/tongsuo-8.5.0-1" ;;
    openssl4) echo "$cache/openssl-4.0.3-1" ;;
    gmssl) echo "$cache/gmssl-3.1.1-1" ;;
    bouncycastle | gmtls) echo "$cache/$1-$(cat "$here/$1/"* | sha256sum | head -c 12)" ;;
    *) die "no peer '$1'; there are: ${all[*]}" ;;
    esac
}

# quietly WHAT COMMAND…: its output is shown only if it fails
quietly() {
    local what=$1
    shift
    "$@" >"$work/log" 2>&1 </dev/null || {
        tail -n 30 "$work/log" >&2
        die "$peer: $what failed ($*)"
    }
}

# crate NAME VERSION SHA256: its source as $work/crates/NAME, without running anything of it
crate() {
    need cargo "cargo-web (Debian's plain cargo is too old for the crates' index)"
    mkdir -p "$work/fetch/src"
    touch "$work/fetch/src/lib.rs"
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\n[dependencies]\n%s = "=%s"\n' "$1" "$2" >"$work/fetch/Cargo.toml"
    quietly "fetching $1 $2" cargo vendor --manifest-path "$work/fetch/Cargo.toml" "$work/crates"
    grep -q "\"package\":\"$3\"" "$work/crates/$1/.cargo-checksum.json" || die "$peer: the crate $1 $2 has another SHA-256 than $3"
}

# what no test uses of an OpenSSL is left out: that saves a good part of the time
slim=(no-shared no-tests no-module no-dso no-engine no-legacy no-quic no-dtls no-sctp no-comp no-zlib no-srp no-psk
    no-des no-dsa no-rc4 no-siphash no-ssl-trace no-ml-dsa no-slh-dsa no-ct)
slimmer=(no-docs no-aria no-bf no-blake2 no-camellia no-cast no-gost no-idea no-md4 no-mdc2 no-rc2 no-rmd160 no-seed
    no-whirlpool) # Tongsuo has none of these

# configuration: what the openssl command looks for when it starts; no section of it changes a default
configuration() {
    printf '[req]\ndistinguished_name = name\n[name]\n[ca]\n[tsa]\ndefault_tsa = tsa\n[tsa]\n'
}

openssl_like() {
    local source=$1
    shift
    need perl perl
    need cc build-essential
    cd "$source"
    quietly configure ./Configure linux-"$(uname -m)" "${slim[@]}" "$@"
    quietly "generating" make -j"$jobs" build_generated
    quietly compiling make -j"$jobs" apps/openssl
    install -s -D apps/openssl "$out/bin/openssl"
    configuration >"$out/openssl.cnf"
    OPENSSL_CONF=$out/openssl.cnf "$out/bin/openssl" version >"$out/version"
}

build_tongsuo() {
    crate tongsuo-src 850.1.1 c3707d4fc3f701c479a327bc98315902725b93507b1c447489ec101361321f79
    openssl_like "$work/crates/tongsuo-src/tongsuo" enable-ntls
}

build_openssl4() {
    crate openssl-src 400.0.2 d2093956673b8dbda85c87fa4fb78e70698ce6c5978a2837d1613f661d3bef76
    openssl_like "$work/crates/openssl-src/openssl" "${slimmer[@]}"
}

build_gmssl() {
    crate gmssl-src 0.1.0 b2515faeb18c1ecb4ae8160c4e123001d021fce39323c51fc50b674820cf2fbf
    need cmake cmake
    need cc build-essential
    local source=$work/crates/gmssl-src/gmssl
    # the crate leaves out the folders that these two loops build
    sed -i '/foreach(name ${\(tests\|demos\)})/,/endforeach()/d' "$source/CMakeLists.txt"
    quietly configure cmake -S "$source" -B "$work/made" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF
    quietly compiling make -C "$work/made" -j"$jobs" gmssl-bin
    install -s -D "$work/made/bin/gmssl" "$out/bin/gmssl"
    "$out/bin/gmssl" version >"$out/version"
}

build_bouncycastle() {
    need mvn maven
    need javac default-jdk-headless
    cp "$here"/bouncycastle/* "$work"
    quietly "fetching the jars" mvn -B -q -f "$work/pom.xml" \
        org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory="$out/jars"
    (cd "$out/jars" && sha256sum --quiet --check "$work/jars.sha256" >&2) || die "$peer: a jar is not the pinned one"
    quietly compiling javac -d "$out/classes" -cp "$out/jars/*" "$work"/*.java
    echo "BouncyCastle $(sed -n '/bcprov/s/.*<version>\(.*\)<\/version>.*/\1/p' "$work/pom.xml")" >"$out/version"
}

build_gmtls() {
    need go golang-go
    cp "$here"/gmtls/* "$work"
    cd "$work"
    # vet of our own few lines is not the point here; -mod=readonly holds go.sum
    quietly compiling env CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags '-s -w' -o "$out/bin/gmtls" .
    echo "tjfoc/gmsm $(sed -n 's/^require .*gmsm v//p' go.mod)" >"$out/version"
}

# build NAME: in a folder of its own, renamed when whole; another build of the same peer is waited for
build() {
    peer=$1
    local target
    target=$(folder "$peer")
    [[ -d $target ]] && return 0
    mkdir -p "$cache"
    exec 9>"$cache/.$peer.lock"
    flock 9
    [[ -d $target ]] && return 0
    echo "building $peer into $target"
    rm -rf "$cache/.$peer.build".* # of a build that was killed
    work=$(mktemp -d "$cache/.$peer.build.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    out=$work/out
    mkdir "$out"
    (
        "build_$peer"
    )
    mv "$out" "$target"
    rm -rf "$work"
}

where=false
[[ ${1:-} == --where ]] && where=true && shift
(($#)) || set -- "${all[@]}"
for name; do folder "$name" >/dev/null; done
for name; do
    if $where; then
        folder "$name"
    else
        build "$name"
    fi
done
