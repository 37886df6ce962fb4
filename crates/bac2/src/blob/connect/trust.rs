//! How a SQL Server is made to trust the vault's authority, ready to paste.
//!
//! Windows: SQL Server's client asks the machine's root store. Linux: it does not ask the system; it reads files in one
//! folder when it starts ("Connect to S3-compatible object storage" of Microsoft documents the folder for 2022).

use frontdoor::tls::AuthorityCertificate;

/// Where SQL Server on Linux looks for roots.
const LINUX_FOLDER: &str = "/var/opt/mssql/security/ca-certificates";

/// For a PowerShell with an administrator's rights.
pub(super) fn windows(authorities: &[AuthorityCertificate]) -> String {
    let import = |authority: &AuthorityCertificate| {
        let file = format!("$env:TEMP\\{}.cer", file_stem(authority));
        format!(
            "@'\n{}'@ | Set-Content -Encoding ascii \"{file}\"\nImport-Certificate -FilePath \"{file}\" -CertStoreLocation Cert:\\LocalMachine\\Root\n",
            authority.pem()
        )
    };
    authorities.iter().map(import).collect()
}

/// For a shell.
pub(super) fn linux(authorities: &[AuthorityCertificate]) -> String {
    let mut text = format!("sudo mkdir -p {LINUX_FOLDER}\n");
    for authority in authorities {
        let file = format!("{LINUX_FOLDER}/{}.pem", file_stem(authority));
        text += &format!("sudo tee {file} >/dev/null <<'PEM'\n{}PEM\n", authority.pem());
    }
    text + &format!(
        "sudo chown -R mssql:mssql {LINUX_FOLDER}\nsudo chmod 750 {LINUX_FOLDER}\nsudo systemctl restart mssql-server\n"
    )
}

/// Unlike that of any other vault's authority: `bac2-vault-CA-11f72d94`.
fn file_stem(authority: &AuthorityCertificate) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    authority.name.chars().map(plain).collect()
}
