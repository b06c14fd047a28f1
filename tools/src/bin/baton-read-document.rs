//! A program that reads one document and nothing else: what a worker may be told to start
//! instead of itself. All of it is in `baton_tools::child`.

fn main() -> std::process::ExitCode {
    baton_tools::child::run_if_asked();
    eprintln!("this program is started by workers, with a document as its standard input");
    std::process::ExitCode::from(2)
}
