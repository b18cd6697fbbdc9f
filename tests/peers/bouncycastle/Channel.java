import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.jsse.BCX509ExtendedKeyManager;
import org.bouncycastle.jsse.BCX509Key;
import org.bouncycastle.jsse.provider.BouncyCastleJsseProvider;

/**
 * RFC 8998 on BCJSSE, both ends authenticated: Channel server KEY CHAIN CA prints "listening PORT" and echoes one line;
 * Channel client KEY CHAIN CA PORT sends a line and prints the answer. Each prints version and suite.
 */
public final class Channel {
    private static final String[] VERSIONS = {"TLSv1.3"};
    private static final String[] SUITES = {"TLS_SM4_GCM_SM3"};

    private Channel() {}

    public static void main(String[] a) throws Exception {
        System.setProperty("jdk.tls.namedGroups", "curveSM2");
        System.setProperty("jdk.tls.client.SignatureSchemes", "sm2sig_sm3");
        System.setProperty("jdk.tls.server.SignatureSchemes", "sm2sig_sm3");
        java.util.logging.LogManager.getLogManager().reset();
        Security.insertProviderAt(new BouncyCastleProvider(), 1); // the JDK's own EC knows no curveSM2
        Security.insertProviderAt(new BouncyCastleJsseProvider(), 2);
        SSLContext context = context(Peer.privateKey(a[1]), chain(a[2]), Peer.certificate(a[3]));
        if (a[0].equals("server")) {
            serve(context);
        } else {
            call(context, Integer.parseInt(a[4]));
        }
    }

    private static X509Certificate[] chain(String name) throws Exception {
        try (var stream = Files.newInputStream(Path.of(name))) {
            return CertificateFactory.getInstance("X.509", "BC").generateCertificates(stream).toArray(X509Certificate[]::new);
        }
    }

    private static SSLContext context(PrivateKey key, X509Certificate[] chain, X509Certificate anchor) throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12", "BC");
        trusted.load(null, null);
        trusted.setCertificateEntry("ca", anchor);
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX", "BCJSSE");
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLSv1.3", "BCJSSE");
        context.init(new KeyManager[] {new OneKey(key, chain)}, trust.getTrustManagers(), null);
        return context;
    }

    private static void serve(SSLContext context) throws Exception {
        var factory = context.getServerSocketFactory();
        try (var listening = (SSLServerSocket) factory.createServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            listening.setEnabledCipherSuites(SUITES);
            listening.setEnabledProtocols(VERSIONS);
            listening.setNeedClientAuth(true);
            listening.setSoTimeout(60_000);
            System.out.println("listening " + listening.getLocalPort());
            try (var socket = (SSLSocket) listening.accept()) {
                tell(socket);
                socket.getOutputStream().write(line(socket));
                socket.getOutputStream().flush();
            }
        }
    }

    private static void call(SSLContext context, int port) throws Exception {
        try (var socket = (SSLSocket) context.getSocketFactory().createSocket("localhost", port)) {
            socket.setEnabledCipherSuites(SUITES);
            socket.setEnabledProtocols(VERSIONS);
            socket.setSoTimeout(60_000);
            tell(socket);
            socket.getOutputStream().write("hello from BouncyCastle\n".getBytes());
            socket.getOutputStream().flush();
            System.out.print(new String(line(socket)));
        }
    }

    private static void tell(SSLSocket socket) throws Exception {
        socket.startHandshake();
        System.out.println(socket.getSession().getProtocol() + " " + socket.getSession().getCipherSuite());
    }

    private static byte[] line(SSLSocket socket) throws Exception {
        var found = new java.io.ByteArrayOutputStream();
        for (int octet = socket.getInputStream().read(); octet >= 0; octet = socket.getInputStream().read()) {
            found.write(octet);
            if (octet == '\n') {
                break;
            }
        }
        return found.toByteArray();
    }

    /** The one key for every question; BCJSSE asks only its own kind of key manager for SM2. */
    private static final class OneKey extends BCX509ExtendedKeyManager {
        private static final String ALIAS = "own";
        private final PrivateKey key;
        private final X509Certificate[] chain;

        OneKey(PrivateKey key, X509Certificate[] chain) {
            this.key = key;
            this.chain = chain;
        }

        private BCX509Key of(String type) {
            return new BCX509Key() {
                @Override
                public X509Certificate[] getCertificateChain() {
                    return chain;
                }

                @Override
                public String getKeyType() {
                    return type;
                }

                @Override
                public PrivateKey getPrivateKey() {
                    return key;
                }
            };
        }

        @Override
        public BCX509Key chooseClientKeyBC(String[] types, Principal[] issuers, Socket socket) {
            return of(types[0]);
        }

        @Override
        public BCX509Key chooseServerKeyBC(String[] types, Principal[] issuers, Socket socket) {
            return of(types[0]);
        }

        @Override
        public BCX509Key chooseEngineClientKeyBC(String[] types, Principal[] issuers, SSLEngine engine) {
            return of(types[0]);
        }

        @Override
        public BCX509Key chooseEngineServerKeyBC(String[] types, Principal[] issuers, SSLEngine engine) {
            return of(types[0]);
        }

        @Override
        public BCX509Key getKeyBC(String type, String alias) {
            return of(type);
        }

        @Override
        public String[] getClientAliases(String type, Principal[] issuers) {
            return new String[] {ALIAS};
        }

        @Override
        public String[] getServerAliases(String type, Principal[] issuers) {
            return new String[] {ALIAS};
        }

        @Override
        public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
            return ALIAS;
        }

        @Override
        public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
            return ALIAS;
        }

        @Override
        public X509Certificate[] getCertificateChain(String alias) {
            return chain;
        }

        @Override
        public PrivateKey getPrivateKey(String alias) {
            return key;
        }
    }
}
