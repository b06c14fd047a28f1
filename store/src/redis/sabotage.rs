//! Scripts without one of their checks, for drills that must notice what is missing. Which
//! check that is, and that no release lacks any, is up to [`Guards`].

use crate::machine::{Guard, Guards};

/// A piece of a script and what stands in its place without the check.
type Piece = (&'static str, &'static str);

const GUARDS: [Guard; 5] = [Guard::Version, Guard::Ready, Guard::Dedup, Guard::Digest, Guard::Fence];

/// The text of a script with the checks that hold.
pub(super) fn guarded(text: String, guards: Guards) -> String {
    let removed = GUARDS.into_iter().filter(|guard| !guards.hold(*guard));
    removed.flat_map(pieces).fold(text, |text, (piece, without)| text.replace(piece, without))
}

fn pieces(guard: Guard) -> Vec<Piece> {
    match guard {
        Guard::Version => vec![
            ("if not may or seen_ver ~= s.ver then return", "if not may then return"),
            ("if after and after ~= s.op then return pack('conflict') end", ""),
            ("if closed_at[place] and closed_at[place] ~= g.closed_at then return pack('conflict') end", ""),
            ("if parent and parent ~= tonumber(call('HGET', TK, 'h') or 0) then return pack('conflict') end", ""),
            ("if not g or g.phase ~= CLOSED then return pack('conflict') end\n  folded[place] = g", FOLDED_WHERE_THERE),
        ],
        Guard::Ready => {
            vec![(
                "if s.status ~= CANCELLING and s.status ~= STUCK then due[due_run('r')] = now + READY_AFTER_MS end",
                "",
            )]
        }
        Guard::Dedup => vec![("if t.state >= DONE then return pack('duplicate') end", "")],
        Guard::Digest => vec![("if gen ~= s.gen or digest ~= t.digest then return pack('stale') end", "")],
        Guard::Fence => vec![(
            "if not current then return pack('stale_fence') end",
            "if not current and kind ~= 'error' then return pack('stale_fence') end",
        )],
    }
}

const FOLDED_WHERE_THERE: &str = "if g then folded[#folded + 1] = g end";

#[cfg(test)]
mod tests {
    use super::{GUARDS, pieces};

    #[test]
    fn each_check_stands_in_a_script_as_it_is_written_here() {
        let scripts = concat!(
            include_str!("lua/advance.lua"),
            include_str!("lua/claim.lua"),
            include_str!("lua/record.lua"),
            include_str!("lua/closing.lua")
        );
        for guard in GUARDS {
            for (piece, _) in pieces(guard) {
                assert!(scripts.contains(piece), "{guard:?}: {piece}");
            }
        }
    }
}
