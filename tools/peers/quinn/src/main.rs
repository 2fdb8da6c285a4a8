//! One stream through quinn, as fast as its settings allow (docs/peers.md).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use bytes::Bytes;
use peer_common::{Arguments, Role, Sink, Source};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::rustls;
use rustls::pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer};

/// AES-128-GCM and nothing else.
fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites = vec![rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
    Arc::new(provider)
}

fn transport(arguments: &Arguments) -> Arc<quinn::TransportConfig> {
    let mut config = quinn::TransportConfig::default();
    config
        .initial_mtu(peer_common::DATAGRAM_BYTES)
        .min_mtu(peer_common::DATAGRAM_BYTES)
        .mtu_discovery_config(None)
        .stream_receive_window(peer_common::WINDOW_BYTES.into())
        .receive_window(peer_common::WINDOW_BYTES.into())
        .send_window(peer_common::WINDOW_BYTES.into())
        .max_idle_timeout(Some(Duration::from_secs(30).try_into().expect("half a minute")))
        .enable_segmentation_offload(true);
    // One acknowledgement for ten packets (draft-ietf-quic-ack-frequency): a few percent faster here than quinn's own
    // rule, and than 25. 0 leaves the extension off.
    let threshold = arguments.setting("ack-threshold").unwrap_or(10);
    if threshold > 0 {
        let mut acks = quinn::AckFrequencyConfig::default();
        acks.ack_eliciting_threshold((threshold as u32).into());
        config.ack_frequency_config(Some(acks));
    }
    Arc::new(config)
}

fn endpoint(socket: std::net::UdpSocket, server: Option<quinn::ServerConfig>) -> Result<quinn::Endpoint> {
    let runtime = quinn::default_runtime().context("no runtime")?;
    Ok(quinn::Endpoint::new(quinn::EndpointConfig::default(), server, socket, runtime)?)
}

async fn serve(arguments: &Arguments, bind: std::net::SocketAddr) -> Result<()> {
    let (certificate, key) = peer_common::make_certificate(&arguments.certificate)?;
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes())?],
            PrivateKeyDer::from_pem_slice(key.as_bytes())?,
        )?;
    tls.alpn_protocols = vec![peer_common::PROTOCOL.to_vec()];
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.transport_config(transport(arguments));
    let endpoint = endpoint(peer_common::make_socket(bind)?, Some(config))?;
    peer_common::announce(endpoint.local_addr()?);

    let connection = endpoint.accept().await.context("closed")?.await?;
    let (mut reply, mut stream) = connection.accept_bi().await?;
    let mut sink = Sink::default();
    let mut chunks: [Bytes; 64] = std::array::from_fn(|_| Bytes::new());
    while let Some(count) = stream.read_chunks(&mut chunks).await? {
        for chunk in &mut chunks[..count] {
            sink.take(&std::mem::take(chunk));
        }
        sink.stamp();
    }
    reply.write_chunk(sink.reply()).await?;
    reply.finish()?;
    connection.closed().await;
    Ok(())
}

async fn send(arguments: &Arguments, to: std::net::SocketAddr, seconds: f64) -> Result<()> {
    let certificate = std::fs::read(&arguments.certificate)?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&certificate)?)?;
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![peer_common::PROTOCOL.to_vec()];
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(transport(arguments));
    let mut source = Source::new(seconds);
    let endpoint = endpoint(peer_common::make_socket(peer_common::any_address_like(to))?, None)?;
    let connection = endpoint.connect_with(config, to, peer_common::SERVER_NAME)?.await?;
    let (mut stream, mut reply) = connection.open_bi().await?;
    while let Some(chunk) = source.next() {
        stream.write_chunk(chunk).await?;
    }
    stream.finish()?;
    let reply = reply.read_to_end(1024).await?;
    let datagram_bytes = connection.stats().path.current_mtu;
    if datagram_bytes > peer_common::DATAGRAM_BYTES {
        bail!("datagrams of {datagram_bytes} bytes");
    }
    connection.close(0u32.into(), b"");
    endpoint.wait_idle().await;
    source.report("quinn", &format!("udp payload {datagram_bytes}, aes-128-gcm (aws-lc-rs), cubic"), &reply)
}

fn main() -> Result<()> {
    let arguments = Arguments::parse()?;
    let runtime = if arguments.threads == 1 {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?
    } else {
        tokio::runtime::Builder::new_multi_thread().worker_threads(arguments.threads).enable_all().build()?
    };
    runtime.block_on(async {
        match arguments.role {
            Role::Server { bind } => serve(&arguments, bind).await,
            Role::Client { to, seconds } => send(&arguments, to, seconds).await,
        }
    })
}
