//! Real SQL Server backups through the door: what went in comes out, and the verdict is that of the verifier alone, which
//! is given all files together, as they all lie in one account: families of one media set complete each other.
//!
//! The files are not part of this project; the folder comes from `BAC2_REAL_BACKUPS`. Without it the trial is counted
//! as ignored, not as passed.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use bak::{Report, Verifier};
use frontdoor::listing::{ShownVerdict, ask};
use libtest_mimic::{Arguments, Failed, Trial};

use support::client::Ask;
use support::upload::{server, upload};

fn main() {
    let arguments = Arguments::from_args();
    let folder = std::env::var_os("BAC2_REAL_BACKUPS").map(PathBuf::from);
    let name = "every_real_backup_is_proved_and_comes_back";
    let trial = match folder {
        Some(folder) => Trial::test(name, move || all(&folder)),
        None => Trial::test(name, || Ok(())).with_ignored_flag(true),
    };
    libtest_mimic::run(&arguments, vec![trial]).exit();
}

fn all(folder: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(folder.join("expected.json"))?;
    let expected: Vec<serde_json::Value> = serde_json::from_str(&text)?;
    let server = server();
    for (number, file) in expected.iter().enumerate() {
        let packed = std::fs::read(folder.join(file["file"].as_str().unwrap()))?;
        let bytes = zstd::decode_all(packed.as_slice())?;
        let name = format!("{number:03}.bak");
        upload(&server, &name, &bytes);
        let back = server.client().ask(&Ask::get(format!("box/{name}"))).expect(200);
        if back.body != bytes {
            return Err(format!("{} came back as something else", file["file"]).into());
        }
    }
    server.wait_for_proof();
    let listed = ask(&server.data())?.ok_or("the server does not answer")?;
    if listed.len() != expected.len() {
        return Err(format!("{} blobs are listed, {} were sent", listed.len(), expected.len()).into());
    }
    let reports = expected
        .iter()
        .map(|file| report(folder, file))
        .collect::<Result<Vec<_>, Failed>>()?;
    let judged = bak::stripes::judge(&reports);
    for (((entry, file), report), judged) in listed.iter().zip(&expected).zip(&reports).zip(&judged) {
        let verdict = match report.foreign() {
            None => Some(ShownVerdict::Judged(judged.verdict)),
            Some(_) => None,
        };
        if entry.verdict != verdict || entry.sets.len() != report.sets.len() {
            return Err(format!("{}: {:?} instead of {verdict:?}", file["file"], entry.verdict).into());
        }
    }
    Ok(())
}

fn report(folder: &Path, file: &serde_json::Value) -> Result<Report, Failed> {
    let packed = std::fs::read(folder.join(file["file"].as_str().unwrap()))?;
    let mut verifier = Verifier::new();
    verifier.push(&zstd::decode_all(packed.as_slice())?);
    Ok(verifier.finish())
}
