// Package main is a C library over github.com/emmansun/gmsm: SM2 signatures in digest form and SM4-GCM.
//
// It checks nothing that crypto/ in Python has checked before: ranges, points and encodings. It keeps no key longer than
// its handle, writes no log, and never panics into the caller: every export answers 0 for what failed.
package main

/*
#include <stdint.h>
#include <stddef.h>
*/
import "C"

import (
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"math/big"
	"runtime/cgo"
	"unsafe"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm4"
)

const (
	digestBytes    = 32
	fieldBytes     = 32
	keyBytes       = 16
	nonceBytes     = 12
	tagBytes       = 16
	signatureBytes = 72
)

// library and its version, as go.mod has it; build.sh compares both.
const library = "gmsm 0.15.5"

var libraryText = C.CString(library)

func bytesAt(pointer *C.uint8_t, size C.size_t) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(pointer)), int(size))
}

func refuse(result *C.int) {
	if recover() != nil {
		*result = 0
	}
}

//export yw_library
func yw_library() *C.char { return libraryText }

//export yw_private_new
func yw_private_new(scalar *C.uint8_t, point *C.uint8_t) (handle C.uintptr_t) {
	defer func() {
		if recover() != nil {
			handle = 0
		}
	}()
	key := new(sm2.PrivateKey)
	key.PublicKey = *publicOf(bytesAt(point, 2*fieldBytes))
	key.D = new(big.Int).SetBytes(bytesAt(scalar, fieldBytes))
	return C.uintptr_t(cgo.NewHandle(key))
}

//export yw_public_new
func yw_public_new(point *C.uint8_t) (handle C.uintptr_t) {
	defer func() {
		if recover() != nil {
			handle = 0
		}
	}()
	return C.uintptr_t(cgo.NewHandle(publicOf(bytesAt(point, 2*fieldBytes))))
}

func publicOf(point []byte) *ecdsa.PublicKey {
	return &ecdsa.PublicKey{
		Curve: sm2.P256(),
		X:     new(big.Int).SetBytes(point[:fieldBytes]),
		Y:     new(big.Int).SetBytes(point[fieldBytes:]),
	}
}

//export yw_free
func yw_free(handle C.uintptr_t) {
	if key, private := cgo.Handle(handle).Value().(*sm2.PrivateKey); private {
		words := key.D.Bits()
		for at := range words {
			words[at] = 0
		}
	}
	cgo.Handle(handle).Delete()
}

// yw_sign writes a DER signature of at most 72 bytes and returns its length.
//
//export yw_sign
func yw_sign(handle C.uintptr_t, digest *C.uint8_t, out *C.uint8_t) (size C.int) {
	defer refuse(&size)
	key := cgo.Handle(handle).Value().(*sm2.PrivateKey)
	signature, err := sm2.SignASN1(rand.Reader, key, bytesAt(digest, digestBytes), nil)
	if err != nil || len(signature) > signatureBytes {
		return 0
	}
	return C.int(copy(bytesAt(out, signatureBytes), signature))
}

//export yw_verify
func yw_verify(handle C.uintptr_t, digest *C.uint8_t, signature *C.uint8_t, size C.size_t) (holds C.int) {
	defer refuse(&holds)
	key := cgo.Handle(handle).Value().(*ecdsa.PublicKey)
	if sm2.VerifyASN1(key, bytesAt(digest, digestBytes), bytesAt(signature, size)) {
		return 1
	}
	return 0
}

// yw_gcm_seal writes size bytes of ciphertext and 16 of tag.
//
//export yw_gcm_seal
func yw_gcm_seal(key, nonce, text *C.uint8_t, size C.size_t, aad *C.uint8_t, aadSize C.size_t, out *C.uint8_t) (done C.int) {
	defer refuse(&done)
	gcm := newGcm(key)
	gcm.Seal(bytesAt(out, size+tagBytes)[:0], bytesAt(nonce, nonceBytes), bytesAt(text, size), bytesAt(aad, aadSize))
	return 1
}

// yw_gcm_open writes size-16 bytes of text, or nothing at all.
//
//export yw_gcm_open
func yw_gcm_open(key, nonce, sealed *C.uint8_t, size C.size_t, aad *C.uint8_t, aadSize C.size_t, out *C.uint8_t) (done C.int) {
	defer refuse(&done)
	gcm, room := newGcm(key), bytesAt(out, size)[:0]
	if _, err := gcm.Open(room, bytesAt(nonce, nonceBytes), bytesAt(sealed, size), bytesAt(aad, aadSize)); err != nil {
		return 0
	}
	return 1
}

func newGcm(key *C.uint8_t) cipher.AEAD {
	block, err := sm4.NewCipher(bytesAt(key, keyBytes))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

func main() {}
