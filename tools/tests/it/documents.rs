//! Documents of each kind that is read, and of kinds that are not.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::support::{documents, extract};

#[tokio::test]
async fn html_markdown_and_text_are_one_page_each() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(root.path().join(name), bytes).unwrap();
    write("a.html", b"<title>Fares</title><p>A car costs 9.</p><script>no()</script>");
    write("b.md", b"# Rules\n\nDogs on a lead.\n");
    write("c.txt", b"Gr\xf6\xdfe\r\n");
    let config = documents(root.path());
    let (result, pages) = extract(&config, "a.html").await.unwrap();
    assert_eq!(pages, ["Fares\n\nA car costs 9."]);
    let said = json!([result["path"], result["name"], result["media_type"], result["pages"], result["characters"]]);
    assert_eq!(said, json!(["a.html", "a.html", "text/html", 1, 21]));
    assert_eq!(extract(&config, "b.md").await.unwrap().1, ["# Rules\n\nDogs on a lead."]);
    assert_eq!(extract(&config, "c.txt").await.unwrap().1, ["Größe"]);
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(root.path().join(name), bytes).unwrap();
    write("picture.png", b"\x89PNG");
    write("empty.txt", b" \n");
    write("binary.txt", b"\0\0\0");
    write("page.pdf", b"no pdf at all");
    write("cut.pdf", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog");
    fs::create_dir(root.path().join("folder.pdf")).unwrap();
    symlink("/etc/passwd", root.path().join("link.txt")).unwrap();
    let config = documents(root.path());
    for (path, code) in [
        ("picture.png", "document_unsupported"),
        ("empty.txt", "document_without_text"),
        ("binary.txt", "document_damaged"),
        ("page.pdf", "document_damaged"),
        ("cut.pdf", "document_damaged"),
        ("folder.pdf", "not_a_file"),
        ("link.txt", "path_outside_roots"),
        ("/etc/passwd", "path_outside_roots"),
        ("none.pdf", "file_not_found"),
    ] {
        let failure = extract(&config, path).await.unwrap_err();
        assert_eq!(failure.code, code, "{path}: {failure}");
        assert!(!failure.class.retryable(), "{path}");
        assert!(failure.message.contains(path), "{failure}");
    }
}

#[tokio::test]
async fn a_reader_that_cannot_be_started_is_named() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a.txt"), "x").unwrap();
    let mut config = documents(root.path());
    config.documents.program = Some(root.path().join("missing"));
    assert_eq!(extract(&config, "a.txt").await.unwrap_err().code, "document_reader_missing");
}
