//! One stream through s2n-quic, as fast as its settings allow (docs/peers.md).

use std::sync::{Arc, Mutex};

use anyhow::{bail, Context, Result};
use bytes::Bytes;
use peer_common::{Arguments, Role, Sink, Source};
use s2n_quic::provider::event::{self, events};
use s2n_quic::provider::io::tokio as io;
use s2n_quic::provider::limits::Limits;
use s2n_quic::provider::tls::s2n_tls as tls;

/// An IPv4 and a UDP header: the stack counts them.
const HEADER_BYTES: u16 = 28;

/// Remembers what the connection agreed on.
#[derive(Clone, Default)]
struct Witness {
    cipher: Arc<Mutex<String>>,
    mtu: Arc<Mutex<u16>>,
}

impl event::Subscriber for Witness {
    type ConnectionContext = ();
    fn create_connection_context(&mut self, _: &event::ConnectionMeta, _: &event::ConnectionInfo) {}
    fn on_key_update(&mut self, _: &mut (), _: &event::ConnectionMeta, event: &events::KeyUpdate) {
        if matches!(event.key_type, events::KeyType::OneRtt { .. }) {
            *self.cipher.lock().expect("no panic") = format!("{:?}", event.cipher_suite);
        }
    }
    fn on_mtu_updated(&mut self, _: &mut (), _: &event::ConnectionMeta, event: &events::MtuUpdated) {
        *self.mtu.lock().expect("no panic") = event.mtu;
    }
}

fn io_builder(socket: std::net::UdpSocket, arguments: &Arguments) -> Result<io::Provider> {
    let mtu = peer_common::DATAGRAM_BYTES + HEADER_BYTES;
    let mut builder = io::Builder::default()
        .with_rx_socket(socket)?
        .with_base_mtu(mtu)?
        .with_initial_mtu(mtu)?
        .with_max_mtu(mtu)?
        .with_gso(true)?
        .with_gro(true)?;
    if let Some(bytes) = arguments.setting("internal-receive") {
        builder = builder.with_internal_recv_buffer_size(bytes as usize)?;
    }
    if let Some(bytes) = arguments.setting("internal-send") {
        builder = builder.with_internal_send_buffer_size(bytes as usize)?;
    }
    Ok(builder.build()?)
}

// The send buffer and the acknowledgements a packet are the fastest of those tried here (docs/peers.md).
fn limits(arguments: &Arguments) -> Result<Limits> {
    let window = u64::from(peer_common::WINDOW_BYTES);
    let limits = Limits::new()
        .with_data_window(window)?
        .with_bidirectional_local_data_window(window)?
        .with_bidirectional_remote_data_window(window)?
        .with_max_send_buffer_size(arguments.setting("send-buffer").unwrap_or(1 << 20) as u32)?
        .with_ack_elicitation_interval(arguments.setting("ack-interval").unwrap_or(25) as u8)?;
    Ok(limits)
}

async fn serve(arguments: &Arguments, bind: std::net::SocketAddr) -> Result<()> {
    let (certificate, key) = peer_common::make_certificate(&arguments.certificate)?;
    let tls = tls::Server::builder()
        .with_certificate(certificate.as_str(), key.as_str())?
        .with_application_protocols([peer_common::PROTOCOL].into_iter())?
        .build()?;
    let socket = peer_common::make_socket(bind)?;
    let address = socket.local_addr()?;
    let mut server = s2n_quic::Server::builder()
        .with_tls(tls)?
        .with_limits(limits(arguments)?)?
        .with_io(io_builder(socket, arguments)?)?
        .start()?;
    peer_common::announce(address);

    let mut connection = server.accept().await.context("closed")?;
    let stream = connection.accept_bidirectional_stream().await?.context("closed")?;
    let (mut stream, mut reply) = stream.split();
    let mut sink = Sink::default();
    let mut chunks: [Bytes; 64] = std::array::from_fn(|_| Bytes::new());
    loop {
        let (count, open) = stream.receive_vectored(&mut chunks).await?;
        for chunk in &mut chunks[..count] {
            sink.take(&std::mem::take(chunk));
        }
        if count > 0 {
            sink.stamp();
        }
        if !open {
            break;
        }
    }
    reply.send(sink.reply()).await?;
    reply.close().await?;
    // Until the client has gone.
    let _ = connection.accept_bidirectional_stream().await;
    Ok(())
}

async fn send(arguments: &Arguments, to: std::net::SocketAddr, seconds: f64) -> Result<()> {
    let certificate = std::fs::read_to_string(&arguments.certificate)?;
    let tls = tls::Client::builder()
        .with_certificate(certificate.as_str())?
        .with_application_protocols([peer_common::PROTOCOL].into_iter())?
        .build()?;
    let mut source = Source::new(seconds);
    let witness = Witness::default();
    let client = s2n_quic::Client::builder()
        .with_tls(tls)?
        .with_limits(limits(arguments)?)?
        .with_event(witness.clone())?
        .with_io(io_builder(peer_common::make_socket(peer_common::any_address_like(to))?, arguments)?)?
        .start()?;
    let connect = s2n_quic::client::Connect::new(to).with_server_name(peer_common::SERVER_NAME);
    let mut connection = client.connect(connect).await?;
    let stream = connection.open_bidirectional_stream().await?;
    let (mut reply, mut stream) = stream.split();
    while let Some(chunk) = source.next() {
        stream.send(chunk).await?;
    }
    stream.finish()?;
    let mut answer = Vec::new();
    while let Some(chunk) = reply.receive().await? {
        answer.extend_from_slice(&chunk);
    }
    let cipher = witness.cipher.lock().expect("no panic").clone();
    let mtu = *witness.mtu.lock().expect("no panic");
    if !cipher.contains("AES_128_GCM") {
        bail!("the connection agreed on {cipher}");
    }
    source.report("s2n-quic", &format!("largest udp payload {mtu}, {cipher} (aws-lc), cubic"), &answer)
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
