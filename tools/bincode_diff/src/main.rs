//! Decodes plaintexts of symmetric datagrams with bincode 1 itself, as the second opinion on Godwit's decoder.
//!
//! Standard input: inputs, each a u32 (little endian) length and so many bytes. Standard output: one line per input, in
//! the format of tests/bincode_inputs.cc. scripts/run_bincode_diff.sh compares the two.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Read, Write};
use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

// The types of docs/wire_spec.md 2.2, in the order of their indices.

#[derive(Serialize, Deserialize)]
struct SymmetricMessage {
    packet_id: u32,
    confirm_receipt: Vec<u32>,
    payload: Payload,
}

#[derive(Serialize, Deserialize)]
enum Payload {
    AckConnection { result: Result<Accepted, String> },
    ShortMessage { payload: Bytes },
    StreamFragment {
        stream_id: u32,
        total_length_bytes: u64,
        fragment_number: u32,
        payload: Bytes,
        metadata_bytes: Option<Bytes>,
    },
    NoOp,
    Ping { sequence: u64 },
    Pong { sequence: u64 },
    AckConnectionV2 { key: [u8; 16], remote_addr: SocketAddr, protoc_version: [u8; 8] },
    Upgrade(UpgradeControl),
}

#[derive(Serialize, Deserialize)]
struct Accepted {
    key: [u8; 16],
    remote_addr: SocketAddr,
}

#[derive(Serialize, Deserialize)]
enum UpgradeControl {
    Offer { attempt: u32, caps: u32 },
    Accept { attempt: u32 },
    Decline { attempt: u32, reason: u8 },
}

/// Length and FNV-1a hash: the lines stay short, and a difference in any byte shows.
fn digest(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{}:{hash:016x}", bytes.len())
}

/// The octets and the port; an IPv4-mapped address is the IPv4 address that it maps (docs/wire_spec.md 1.5).
fn address(address: &SocketAddr) -> String {
    let octets = match address.ip().to_canonical() {
        std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
        std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    format!("{}/{}", hex(&octets), address.port())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn describe(message: &SymmetricMessage, remaining: usize) -> String {
    let mut acks = Vec::with_capacity(message.confirm_receipt.len() * 4);
    for ack in &message.confirm_receipt {
        acks.extend_from_slice(&ack.to_le_bytes());
    }
    let payload = match &message.payload {
        Payload::AckConnection { result: Ok(ok) } => format!("ack {} {}", hex(&ok.key), address(&ok.remote_addr)),
        Payload::AckConnection { result: Err(text) } => format!("error {}", digest(text.as_bytes())),
        Payload::ShortMessage { payload } => format!("short {}", digest(payload)),
        Payload::StreamFragment { stream_id, total_length_bytes, fragment_number, payload, metadata_bytes } => format!(
            "fragment {stream_id} {total_length_bytes} {fragment_number} {} {}",
            digest(payload),
            metadata_bytes.as_ref().map_or("none".to_string(), |metadata| digest(metadata))
        ),
        Payload::NoOp => "noop".to_string(),
        Payload::Ping { sequence } => format!("ping {sequence}"),
        Payload::Pong { sequence } => format!("pong {sequence}"),
        Payload::AckConnectionV2 { key, remote_addr, protoc_version } => {
            format!("ack {} {} {}", hex(key), address(remote_addr), hex(protoc_version))
        }
        Payload::Upgrade(UpgradeControl::Offer { attempt, caps }) => format!("offer {attempt} {caps}"),
        Payload::Upgrade(UpgradeControl::Accept { attempt }) => format!("accept {attempt}"),
        Payload::Upgrade(UpgradeControl::Decline { attempt, reason }) => format!("decline {attempt} {reason}"),
    };
    format!("{} {} {payload} rest {remaining}", message.packet_id, digest(&acks))
}

/// bincode does not say where it stopped: the value's own size does, since the encoding is canonical. That the decoder
/// reads exactly so many bytes is checked.
fn decode(input: &[u8]) -> String {
    let Ok(message) = bincode::deserialize::<SymmetricMessage>(input) else {
        return "refused".to_string();
    };
    let size = usize::try_from(bincode::serialized_size(&message).unwrap()).unwrap();
    assert!(bincode::deserialize::<SymmetricMessage>(&input[..size]).is_ok());
    assert!(bincode::deserialize::<SymmetricMessage>(&input[..size - 1]).is_err());
    describe(&message, input.len() - size)
}

fn main() -> io::Result<()> {
    let mut all = Vec::new();
    io::stdin().lock().read_to_end(&mut all)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut rest = &all[..];
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (input, next) = behind.split_at(u32::from_le_bytes(*length) as usize);
        writeln!(out, "{}", decode(input))?;
        rest = next;
    }
    out.flush()
}
