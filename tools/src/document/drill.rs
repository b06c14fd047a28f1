//! Documents that misbehave on request, so that tests and fault drills can see what becomes
//! of them. Obeyed only where debug tools are switched on.

use crate::child::{Answer, Page, Reading};

/// How such a document begins; one word follows.
const MARK: &[u8] = b"%BATON-DRILL ";

/// What the document asks for.
pub(super) fn asked(bytes: &[u8]) -> Option<String> {
    let rest = bytes.strip_prefix(MARK)?;
    let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    String::from_utf8(rest[..end.min(32)].to_vec()).ok()
}

/// Does it.
pub(super) fn obey(what: &str) -> Answer {
    match what {
        "abort" => std::process::abort(),
        "exit" => std::process::exit(0),
        "panic" => panic!("a drill"),
        "overflow" => says(&nest(1).to_string()),
        "compute" => loop {
            std::hint::black_box(());
        },
        "wait" => loop {
            std::thread::park();
        },
        "take_at_once" => says(&take(8 << 30).len().to_string()),
        "take_slowly" => hold(128, 64 << 20),
        "take_64_mib" => hold(1024, 64 << 10),
        "take_512_mib" => hold(8192, 64 << 10),
        "flood" => says(&"flood ".repeat(64 << 20)),
        "start_another" => {
            let started = std::process::Command::new("sleep").arg("3600").env("PATH", "/usr/bin:/bin").spawn();
            match started {
                Ok(mut other) => says(&format!("{:?}", other.wait())),
                Err(error) => says(&error.to_string()),
            }
        }
        "write_a_file" => {
            says(&format!("{:?}", std::fs::write(std::env::temp_dir().join("baton-drill"), "x").map_err(|e| e.kind())))
        }
        "environment" => says(&format!("{:?}", std::env::vars().collect::<Vec<_>>())),
        _ => Answer::failed("document_damaged", "no such drill"),
    }
}

fn hold(pieces: usize, bytes: usize) -> Answer {
    let taken: Vec<Vec<u8>> = (0..pieces).map(|_| take(bytes)).collect();
    says(&taken.len().to_string())
}

fn take(bytes: usize) -> Vec<u8> {
    let mut taken = vec![0; bytes];
    for at in (0..bytes).step_by(4096) {
        taken[at] = 1;
    }
    std::hint::black_box(taken)
}

#[allow(unconditional_recursion, reason = "overflowing the stack is what the drill is for")]
fn nest(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    nest(depth + 1) + std::hint::black_box(room)[0]
}

fn says(text: &str) -> Answer {
    let pages = vec![Page { page: 1, text: text.to_owned() }];
    Answer::Read(Reading { media_type: "text/plain".to_owned(), pages, damaged_pages: Vec::new() })
}
