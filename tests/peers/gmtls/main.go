// The Go library tjfoc/gmsm behind a command line: gmtls COMMAND ARGUMENT…, see commands below.
// Exit 0 means done or valid, 1 refused; keys are plain PKCS#8 PEM.
package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/tjfoc/gmsm/sm2"
	"github.com/tjfoc/gmsm/sm3"
	"github.com/tjfoc/gmsm/x509"
)

var commands = map[string]func(a []string) error{
	"digest":       func(a []string) error { return show(sm3.Sm3Sum(read(a[0]))) },
	"hmac":         func(a []string) error { return show(mac(bytes(a[0]), read(a[1]))) },
	"sign":         func(a []string) error { return sign(private(a[0]), a[1], read(a[2]), a[3]) },
	"verify":       func(a []string) error { return verify(public(a[0]), a[1], read(a[2]), read(a[3])) },
	"encrypt":      func(a []string) error { return encrypt(a[0], public(a[1]), read(a[2]), a[3]) },
	"decrypt":      func(a []string) error { return decrypt(a[0], private(a[1]), read(a[2]), a[3]) },
	"cms-verify":   func(a []string) error { return verifyMessage(certificate(a[0]), read(a[1]), read(a[2])) },
	"key-write":    func(a []string) error { return writeKey(a[0], newKey()) },
	"chain-verify": func(a []string) error { return verifyChain(a[0], a[1], a[2:]) },
	"chain-issue":  func(a []string) error { return issueChain(a[0]) },
	"csr-read":     func(a []string) error { return readRequest(a[0]) },
	"csr-write":    func(a []string) error { return writeRequest(a[0], a[1]) },
	"crl-read":     func(a []string) error { return readList(certificate(a[0]), read(a[1])) },
	"crl-write":    func(a []string) error { return writeList(a[0], a[1]) },
}

var refused = errors.New("refused")

func main() {
	run, found := commands[os.Args[1]]
	if !found {
		fail(errors.New("no command " + os.Args[1]))
	}
	fail(run(os.Args[2:]))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func must[T any](value T, err error) T {
	fail(err)
	return value
}

func read(name string) []byte              { return must(os.ReadFile(name)) }
func bytes(text string) []byte             { return must(hex.DecodeString(text)) }
func write(name string, data []byte) error { return os.WriteFile(name, data, 0o600) }
func newKey() *sm2.PrivateKey              { return must(sm2.GenerateKey(rand.Reader)) }
func private(name string) *sm2.PrivateKey  { return must(x509.ReadPrivateKeyFromPem(read(name), nil)) }
func public(name string) *sm2.PublicKey    { return must(x509.ReadPublicKeyFromPem(read(name))) }
func certificate(name string) *x509.Certificate {
	return must(x509.ReadCertificateFromPem(read(name)))
}

func show(data []byte) error {
	fmt.Println(hex.EncodeToString(data))
	return nil
}

func mac(key, data []byte) []byte {
	running := hmac.New(sm3.New, key)
	running.Write(data)
	return running.Sum(nil)
}

func point(key *sm2.PublicKey) []byte {
	return append(append([]byte{4}, key.X.FillBytes(make([]byte, 32))...), key.Y.FillBytes(make([]byte, 32))...)
}

func writeKey(name string, key *sm2.PrivateKey) error {
	return write(name, must(x509.WritePrivateKeyToPem(key, nil)))
}

func sign(key *sm2.PrivateKey, id string, data []byte, out string) error {
	r, s, err := sm2.Sm2Sign(key, data, []byte(id), rand.Reader)
	fail(err)
	return write(out, must(sm2.SignDigitToSignData(r, s)))
}

func verify(key *sm2.PublicKey, id string, signature, data []byte) error {
	r, s, err := sm2.SignDataToSignDigit(signature)
	fail(err)
	if !sm2.Sm2Verify(key, data, []byte(id), r, s) {
		return refused
	}
	return nil
}

var modes = map[string]int{"c1c3c2": sm2.C1C3C2, "c1c2c3": sm2.C1C2C3}

func encrypt(mode string, key *sm2.PublicKey, data []byte, out string) error {
	if mode == "der" {
		return write(out, must(sm2.EncryptAsn1(key, data, rand.Reader)))
	}
	return write(out, must(sm2.Encrypt(key, data, rand.Reader, modes[mode])))
}

func decrypt(mode string, key *sm2.PrivateKey, data []byte, out string) error {
	if mode == "der" {
		return write(out, must(sm2.DecryptAsn1(key, data)))
	}
	return write(out, must(sm2.Decrypt(key, data, modes[mode])))
}

// verifyMessage holds if the certificate's key signed exactly these data; the message brings its certificates.
func verifyMessage(signer *x509.Certificate, message, data []byte) error {
	found := must(x509.ParsePKCS7(message))
	if len(found.Content) > 0 && string(found.Content) != string(data) || len(found.Signers) != 1 {
		return refused
	}
	found.Content, found.Certificates = data, []*x509.Certificate{signer}
	return found.Verify()
}

func verifyChain(anchor, leaf string, between []string) error {
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(certificate(anchor))
	for _, one := range between {
		others.AddCert(certificate(one))
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	_, err := certificate(leaf).Verify(x509.VerifyOptions{Roots: roots, Intermediates: others, KeyUsages: usages})
	return err
}

// issue writes NAME.pem and NAME.key; without a parent it signs itself.
func issue(folder, name string, authority bool, parent *x509.Certificate, by *sm2.PrivateKey) (*x509.Certificate, *sm2.PrivateKey) {
	key, usage := newKey(), x509.KeyUsageDigitalSignature
	if authority {
		usage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	template := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))),
		Subject:      pkix.Name{CommonName: "gmsm " + name, Country: []string{"CN"}},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: usage, SignatureAlgorithm: x509.SM2WithSM3,
		BasicConstraintsValid: authority, IsCA: authority, SubjectKeyId: sm3.Sm3Sum(point(&key.PublicKey))[:20],
	}
	if parent == nil {
		parent, by = template, key
	}
	encoded := must(x509.CreateCertificateToPem(template, parent, &key.PublicKey, by))
	fail(write(filepath.Join(folder, name+".pem"), encoded))
	fail(writeKey(filepath.Join(folder, name+".key"), key))
	return must(x509.ReadCertificateFromPem(encoded)), key
}

func issueChain(folder string) error {
	root, rootKey := issue(folder, "ca", true, nil, nil)
	middle, middleKey := issue(folder, "middle", true, root, rootKey)
	issue(folder, "leaf", false, middle, middleKey)
	return nil
}

func readRequest(name string) error {
	request := must(x509.ReadCertificateRequestFromPem(read(name)))
	fmt.Println(request.Subject.CommonName)
	return request.CheckSignature()
}

func writeRequest(out, keyOut string) error {
	key := newKey()
	fail(writeKey(keyOut, key))
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "gmsm request"}, SignatureAlgorithm: x509.SM2WithSM3}
	return write(out, must(x509.CreateCertificateRequestToPem(template, key)))
}

func readList(issuer *x509.Certificate, data []byte) error {
	list := must(x509.ParseCRL(data))
	fail(issuer.CheckCRLSignature(list))
	for _, one := range list.TBSCertList.RevokedCertificates {
		fmt.Printf("%x\n", one.SerialNumber)
	}
	return nil
}

func writeList(folder, serial string) error {
	root, key := issue(folder, "ca", true, nil, nil)
	number := new(big.Int).SetBytes(bytes(serial))
	entries := []pkix.RevokedCertificate{{SerialNumber: number, RevocationTime: time.Now()}}
	list := must(root.CreateCRL(rand.Reader, key, entries, time.Now().Add(-time.Minute), time.Now().Add(time.Hour)))
	return write(filepath.Join(folder, "list.pem"), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list}))
}
