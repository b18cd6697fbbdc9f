import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Security;
import java.security.Signature;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertStore;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CRLHolder;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.X509v2CRLBuilder;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.crypto.agreement.SM2KeyExchange;
import org.bouncycastle.crypto.digests.SM3Digest;
import org.bouncycastle.crypto.engines.SM2Engine;
import org.bouncycastle.crypto.params.ECPrivateKeyParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.params.ParametersWithID;
import org.bouncycastle.crypto.params.ParametersWithRandom;
import org.bouncycastle.crypto.params.SM2KeyExchangePrivateParameters;
import org.bouncycastle.crypto.params.SM2KeyExchangePublicParameters;
import org.bouncycastle.crypto.util.PrivateKeyFactory;
import org.bouncycastle.crypto.util.PublicKeyFactory;
import org.bouncycastle.jcajce.spec.SM2ParameterSpec;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.bouncycastle.util.CollectionStore;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemReader;
import org.bouncycastle.util.io.pem.PemWriter;

/** BouncyCastle behind a command line: Peer COMMAND ARGUMENT…; exit 0 means done or valid, 1 refused. Keys are plain PKCS#8 PEM. */
public final class Peer {
    private static final HexFormat HEX = HexFormat.of();
    private static final String SM3_WITH_SM2 = "SM3withSM2";
    private static final long DAY = 86_400_000L;

    private Peer() {}

    public static void main(String[] a) {
        Security.addProvider(new BouncyCastleProvider());
        try {
            run(a);
        } catch (Exception error) {
            System.err.println(error);
            System.exit(1);
        }
    }

    private static void run(String[] a) throws Exception {
        switch (a[0]) {
            case "digest" -> show(MessageDigest.getInstance("SM3", "BC").digest(read(a[1])));
            case "hmac" -> show(mac(HEX.parseHex(a[1]), read(a[2])));
            case "sign" -> write(a[4], sign(privateKey(a[1]), a[2], read(a[3])));
            case "verify" -> require(verify(publicKey(a[1]), a[2], read(a[3]), read(a[4])));
            case "encrypt" -> write(a[4], encrypt(a[1], publicKey(a[2]), read(a[3])));
            case "decrypt" -> write(a[4], decrypt(a[1], privateKey(a[2]), read(a[3])));
            case "gcm-seal" -> write(a[5], gcm(Cipher.ENCRYPT_MODE, a[1], a[2], a[3], read(a[4])));
            case "gcm-open" -> write(a[5], gcm(Cipher.DECRYPT_MODE, a[1], a[2], a[3], read(a[4])));
            case "exchange-a" -> initiate(a);
            case "exchange-b" -> respond(a);
            case "key-write" -> writePem(a[1], "PRIVATE KEY", newKey().getPrivate().getEncoded());
            case "chain-verify" -> verifyChain(a);
            case "chain-issue" -> issueChain(a[1]);
            case "csr-read" -> readRequest(a[1]);
            case "csr-write" -> writeRequest(a[1], a[2]);
            case "crl-read" -> readList(holder(a[1]), new X509CRLHolder(pem(a[2])));
            case "crl-write" -> writeList(a[1], new BigInteger(a[2], 16));
            case "cms-sign" -> write(a[4], cmsSign(privateKey(a[1]), a[2], read(a[3])));
            case "cms-verify" -> cmsVerify(a[1], read(a[2]), a[3]);
            case "ts-query" -> write(a[2], query(read(a[1])));
            case "ts-verify" -> timestampVerify(read(a[1]), read(a[2]), holder(a[3]));
            default -> throw new IllegalArgumentException("no command " + a[0]);
        }
    }

    static byte[] read(String name) throws Exception {
        return Files.readAllBytes(Path.of(name));
    }

    static void write(String name, byte[] data) throws Exception {
        Files.write(Path.of(name), data);
    }

    private static void show(byte[] data) {
        System.out.println(HEX.formatHex(data));
    }

    private static void require(boolean holds) {
        if (!holds) {
            throw new IllegalStateException("refused");
        }
    }

    static byte[] pem(String name) throws Exception {
        try (PemReader reader = new PemReader(Files.newBufferedReader(Path.of(name)))) {
            return reader.readPemObject().getContent();
        }
    }

    private static void writePem(String name, String label, byte[] data) throws Exception {
        try (PemWriter writer = new PemWriter(Files.newBufferedWriter(Path.of(name)))) {
            writer.writeObject(new PemObject(label, data));
        }
    }

    static PrivateKey privateKey(String name) throws Exception {
        return KeyFactory.getInstance("EC", "BC").generatePrivate(new PKCS8EncodedKeySpec(pem(name)));
    }

    private static PublicKey publicKey(String name) throws Exception {
        return KeyFactory.getInstance("EC", "BC").generatePublic(new X509EncodedKeySpec(pem(name)));
    }

    static X509CertificateHolder holder(String name) throws Exception {
        return new X509CertificateHolder(pem(name));
    }

    static X509Certificate certificate(String name) throws Exception {
        return new JcaX509CertificateConverter().setProvider("BC").getCertificate(holder(name));
    }

    private static KeyPair newKey() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", "BC");
        generator.initialize(new ECGenParameterSpec("sm2p256v1"));
        return generator.generateKeyPair();
    }

    private static byte[] mac(byte[] key, byte[] data) throws Exception {
        Mac mac = Mac.getInstance("HmacSM3", "BC");
        mac.init(new SecretKeySpec(key, "HmacSM3"));
        return mac.doFinal(data);
    }

    private static Signature signature(String id) throws Exception {
        Signature engine = Signature.getInstance(SM3_WITH_SM2, "BC");
        engine.setParameter(new SM2ParameterSpec(id.getBytes()));
        return engine;
    }

    private static byte[] sign(PrivateKey key, String id, byte[] data) throws Exception {
        Signature engine = signature(id);
        engine.initSign(key);
        engine.update(data);
        return engine.sign();
    }

    private static boolean verify(PublicKey key, String id, byte[] signature, byte[] data) throws Exception {
        Signature engine = signature(id);
        engine.initVerify(key);
        engine.update(data);
        return engine.verify(signature);
    }

    private static SM2Engine engine(String mode) {
        return new SM2Engine(new SM3Digest(), SM2Engine.Mode.valueOf(mode.toUpperCase()));
    }

    private static byte[] encrypt(String mode, PublicKey key, byte[] data) throws Exception {
        SM2Engine engine = engine(mode);
        engine.init(true, new ParametersWithRandom(PublicKeyFactory.createKey(key.getEncoded())));
        return engine.processBlock(data, 0, data.length);
    }

    private static byte[] decrypt(String mode, PrivateKey key, byte[] data) throws Exception {
        SM2Engine engine = engine(mode);
        engine.init(false, PrivateKeyFactory.createKey(key.getEncoded()));
        return engine.processBlock(data, 0, data.length);
    }

    private static byte[] gcm(int mode, String key, String nonce, String more, byte[] data) throws Exception {
        Cipher cipher = Cipher.getInstance("SM4/GCM/NoPadding", "BC");
        cipher.init(mode, new SecretKeySpec(HEX.parseHex(key), "SM4"), new GCMParameterSpec(128, HEX.parseHex(nonce)));
        cipher.updateAAD(HEX.parseHex(more));
        return cipher.doFinal(data);
    }

    /** exchange-a BYTES OWN_ID PEER_ID KEY POINT_KEY PEER PEER_POINT SB: prints the key and SA. */
    private static void initiate(String[] a) throws Exception {
        SM2KeyExchange side = side(true, a);
        byte[][] found = side.calculateKeyWithConfirmation(8 * Integer.parseInt(a[1]), HEX.parseHex(a[8]), peer(a));
        show(found[0]);
        show(found[1]);
    }

    /** exchange-b BYTES OWN_ID PEER_ID KEY POINT_KEY PEER PEER_POINT: prints the key, SB, and the SA it expects. */
    private static void respond(String[] a) throws Exception {
        for (byte[] one : side(false, a).calculateKeyWithConfirmation(8 * Integer.parseInt(a[1]), null, peer(a))) {
            show(one);
        }
    }

    private static SM2KeyExchange side(boolean first, String[] a) throws Exception {
        var key = (ECPrivateKeyParameters) PrivateKeyFactory.createKey(privateKey(a[4]).getEncoded());
        var point = (ECPrivateKeyParameters) PrivateKeyFactory.createKey(privateKey(a[5]).getEncoded());
        SM2KeyExchange side = new SM2KeyExchange();
        side.init(new ParametersWithID(new SM2KeyExchangePrivateParameters(first, key, point), a[2].getBytes()));
        return side;
    }

    private static ParametersWithID peer(String[] a) throws Exception {
        var key = (ECPublicKeyParameters) PublicKeyFactory.createKey(publicKey(a[6]).getEncoded());
        var point = (ECPublicKeyParameters) PublicKeyFactory.createKey(publicKey(a[7]).getEncoded());
        return new ParametersWithID(new SM2KeyExchangePublicParameters(key, point), a[3].getBytes());
    }

    /** chain-verify CA LEAF INTERMEDIATE… */
    private static void verifyChain(String[] a) throws Exception {
        List<X509Certificate> all = new ArrayList<>();
        for (String name : Arrays.asList(a).subList(2, a.length)) {
            all.add(certificate(name));
        }
        X509CertSelector target = new X509CertSelector();
        target.setCertificate(all.get(0));
        PKIXBuilderParameters wanted = new PKIXBuilderParameters(Set.of(new TrustAnchor(certificate(a[1]), null)), target);
        wanted.setRevocationEnabled(false);
        wanted.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(all), "BC"));
        CertPathBuilder.getInstance("PKIX", "BC").build(wanted);
    }

    private record Issued(X509CertificateHolder certificate, KeyPair keys) {}

    private static ContentSigner signer(PrivateKey key) throws Exception {
        return new JcaContentSignerBuilder(SM3_WITH_SM2).setProvider("BC").build(key);
    }

    private static Issued issue(String folder, String name, boolean authority, Issued parent) throws Exception {
        KeyPair keys = newKey();
        X500Name subject = new X500Name("C=CN,CN=BouncyCastle " + name);
        Date start = new Date(System.currentTimeMillis() - DAY / 24);
        Date end = new Date(start.getTime() + DAY);
        var builder = new X509v3CertificateBuilder(
                parent == null ? subject : parent.certificate.getSubject(),
                new BigInteger(120, new java.security.SecureRandom()),
                start,
                end,
                subject,
                SubjectPublicKeyInfo.getInstance(keys.getPublic().getEncoded()));
        if (authority) {
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(true));
        }
        int usage = authority ? KeyUsage.keyCertSign | KeyUsage.cRLSign : KeyUsage.digitalSignature;
        builder.addExtension(Extension.keyUsage, true, new KeyUsage(usage));
        X509CertificateHolder made = builder.build(signer((parent == null ? keys : parent.keys).getPrivate()));
        writePem(folder + "/" + name + ".pem", "CERTIFICATE", made.getEncoded());
        writePem(folder + "/" + name + ".key", "PRIVATE KEY", keys.getPrivate().getEncoded());
        return new Issued(made, keys);
    }

    private static void issueChain(String folder) throws Exception {
        issue(folder, "leaf", false, issue(folder, "middle", true, issue(folder, "ca", true, null)));
    }

    private static void readRequest(String name) throws Exception {
        PKCS10CertificationRequest request = new PKCS10CertificationRequest(pem(name));
        var verifier = new JcaContentVerifierProviderBuilder().setProvider("BC").build(request.getSubjectPublicKeyInfo());
        require(request.isSignatureValid(verifier));
        System.out.println(request.getSubject());
    }

    private static void writeRequest(String out, String keyOut) throws Exception {
        KeyPair keys = newKey();
        writePem(keyOut, "PRIVATE KEY", keys.getPrivate().getEncoded());
        X500Name subject = new X500Name("CN=BouncyCastle request");
        var made = new JcaPKCS10CertificationRequestBuilder(subject, keys.getPublic()).build(signer(keys.getPrivate()));
        writePem(out, "CERTIFICATE REQUEST", made.getEncoded());
    }

    private static void readList(X509CertificateHolder issuer, X509CRLHolder list) throws Exception {
        require(list.isSignatureValid(new JcaContentVerifierProviderBuilder().setProvider("BC").build(issuer)));
        for (Object one : list.getRevokedCertificates()) {
            System.out.println(((org.bouncycastle.cert.X509CRLEntryHolder) one).getSerialNumber().toString(16));
        }
    }

    private static void writeList(String folder, BigInteger serial) throws Exception {
        Issued root = issue(folder, "ca", true, null);
        Date now = new Date();
        var builder = new X509v2CRLBuilder(root.certificate.getSubject(), new Date(now.getTime() - 60_000));
        builder.setNextUpdate(new Date(now.getTime() + DAY));
        builder.addCRLEntry(serial, now, CRLReason.keyCompromise);
        writePem(folder + "/list.pem", "X509 CRL", builder.build(signer(root.keys.getPrivate())).getEncoded());
    }

    private static byte[] cmsSign(PrivateKey key, String certificate, byte[] data) throws Exception {
        var generator = new CMSSignedDataGenerator();
        var builder = new JcaSimpleSignerInfoGeneratorBuilder().setProvider("BC");
        generator.addSignerInfoGenerator(builder.build(SM3_WITH_SM2, key, certificate(certificate)));
        generator.addCertificates(new CollectionStore<>(List.of(holder(certificate))));
        return generator.generate(new CMSProcessableByteArray(data), true).getEncoded("DER");
    }

    /** cms-verify CERTIFICATE MESSAGE DATA: the signature of the certificate's key over exactly these data. */
    private static void cmsVerify(String certificate, byte[] message, String data) throws Exception {
        CMSSignedData found = new CMSSignedData(new CMSProcessableByteArray(read(data)), message);
        var verifier = new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(holder(certificate));
        for (SignerInformation one : found.getSignerInfos()) {
            require(one.verify(verifier));
        }
        require(found.getSignerInfos().size() == 1);
    }

    private static byte[] query(byte[] data) throws Exception {
        var generator = new TimeStampRequestGenerator();
        generator.setCertReq(true);
        byte[] digest = MessageDigest.getInstance("SM3", "BC").digest(data);
        return generator.generate(GMObjectIdentifiers.sm3, digest, BigInteger.valueOf(77)).getEncoded();
    }

    /** ts-verify REQUEST RESPONSE CERTIFICATE: the response answers the request, signed by the certificate's key. */
    private static void timestampVerify(byte[] request, byte[] response, X509CertificateHolder signer) throws Exception {
        TimeStampResponse found = new TimeStampResponse(response);
        found.validate(new TimeStampRequest(request));
        found.getTimeStampToken().validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(signer));
        System.out.println(found.getTimeStampToken().getTimeStampInfo().getGenTime().toInstant());
    }
}
