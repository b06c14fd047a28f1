//! Every way to tamper with a log, and whether it shows.

use baton_common::{Actor, RunId, TenantId, Timestamp, Version};

use super::*;

fn log(count: u64) -> (Vec<Audit>, AuditHead) {
    let (mut entries, mut head) = (Vec::new(), None);
    for at in 0..count {
        let entry = Audit {
            at: Timestamp(1_000 + i64::try_from(at).unwrap()),
            tenant: TenantId::local(),
            actor: Actor::local(),
            operation: "cancel".to_owned(),
            run: RunId { partition: Partition(7), uuid: uuid::Uuid::nil() },
            subject: String::new(),
            before: Version(at),
            after: Version(at + 1),
            verdict: "cancelling".to_owned(),
            number: 0,
            prior: String::new(),
        };
        let (entry, next) = append(entry, head);
        entries.push(entry);
        head = Some(next);
    }
    (entries, head.unwrap_or_default())
}

fn walk(entries: &[Audit], head: &AuditHead, kept: Option<KeptHead>) -> Walked {
    let mut walk = Walk::new(Partition(7), kept);
    entries.iter().for_each(|entry| walk.step(entry));
    walk.end(Some(head))
}

fn fault(entries: &[Audit], head: &AuditHead) -> Option<(u64, Fault)> {
    walk(entries, head, None).broken.map(|broken| (broken.number, broken.fault))
}

#[test]
fn a_log_that_nobody_touched_holds() {
    let (entries, head) = log(5);
    let walked = walk(&entries, &head, None);
    assert_eq!((walked.broken, walked.chained, walked.last), (None, 5, head));
}

#[test]
fn any_field_that_is_changed_shows() {
    let (entries, head) = log(3);
    let changes: [fn(&mut Audit); 6] = [
        |entry| entry.actor = "mallory".parse().unwrap(),
        |entry| entry.at = Timestamp(5),
        |entry| entry.operation = "retry".to_owned(),
        |entry| entry.subject = "x".to_owned(),
        |entry| entry.after = Version(9),
        |entry| entry.verdict = "no".to_owned(),
    ];
    for (place, change) in changes.iter().enumerate() {
        for index in 0..3 {
            let mut entries = entries.clone();
            change(&mut entries[index]);
            let number = u64::try_from(index).unwrap() + 1;
            assert_eq!(fault(&entries, &head), Some((number, Fault::Altered)), "change {place} of entry {index}");
        }
    }
}

#[test]
fn an_entry_that_is_gone_shows_at_each_place() {
    let (entries, head) = log(4);
    for index in 1..4 {
        let mut entries = entries.clone();
        entries.remove(index);
        assert_eq!(fault(&entries, &head), Some((u64::try_from(index).unwrap() + 1, Fault::Missing)));
    }
}

#[test]
fn entries_that_changed_places_show() {
    let (mut entries, head) = log(4);
    entries.swap(1, 2);
    assert_eq!(fault(&entries, &head), Some((2, Fault::Missing)));
    let (mut entries, head) = log(4);
    let copy = entries[1].clone();
    entries.insert(3, copy);
    assert_eq!(fault(&entries, &head), Some((2, Fault::Reordered)));
}

#[test]
fn what_retention_took_from_the_beginning_is_no_fault() {
    let (entries, head) = log(5);
    let walked = walk(&entries[2..], &head, None);
    assert_eq!((walked.broken, walked.first, walked.chained), (None, Some(3), 3));
}

#[test]
fn entries_of_before_the_chain_stand_before_it_only() {
    let (mut entries, head) = log(2);
    let old = Audit { number: 0, prior: String::new(), ..entries[0].clone() };
    entries.insert(0, old.clone());
    let walked = walk(&entries, &head, None);
    assert_eq!((walked.broken, walked.unchained, walked.chained), (None, 1, 2));
    entries.push(old.clone());
    assert_eq!(fault(&entries, &head), Some((3, Fault::Altered)));
    let (entries, head) = log(3);
    let cut: Vec<_> = std::iter::once(old).chain(entries[1..].iter().cloned()).collect();
    assert_eq!(fault(&cut, &head), Some((1, Fault::Missing)));
}

#[test]
fn an_end_that_was_cut_off_shows_by_the_head_and_by_one_kept_elsewhere() {
    let (entries, head) = log(4);
    assert_eq!(fault(&entries[..2], &head), Some((3, Fault::Missing)));
    // Whoever can write the head too is told by the one that was kept only.
    let cut = AuditHead { number: 2, link: link(&entries[1]) };
    assert_eq!(fault(&entries[..2], &cut), None);
    let kept = |number: usize| KeptHead {
        partition: Partition(7),
        number: u64::try_from(number).unwrap(),
        link: link(&entries[number - 1]),
    };
    let found = walk(&entries[..2], &cut, Some(kept(3))).broken.unwrap();
    assert_eq!((found.number, found.fault), (3, Fault::Missing));
    assert_eq!(walk(&entries, &head, Some(kept(2))).broken, None);
    assert!(walk(&entries[2..], &head, Some(kept(2))).unjudged);
}

#[test]
fn a_log_written_anew_from_some_entry_on_shows_by_a_kept_head() {
    let (mut entries, head) = log(4);
    let kept = KeptHead { partition: Partition(7), number: 4, link: head.link };
    entries[1].actor = "mallory".parse().unwrap();
    let mut anew = Some(AuditHead { number: 1, link: link(&entries[0]) });
    for entry in &mut entries[1..] {
        let (written, next) = append(entry.clone(), anew);
        (*entry, anew) = (written, Some(next));
    }
    let head = anew.unwrap();
    assert_eq!(fault(&entries, &head), None);
    let found = walk(&entries, &head, Some(kept)).broken.unwrap();
    assert_eq!((found.number, found.fault), (4, Fault::Altered));
}
