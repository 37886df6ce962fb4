//! The token of a service principal of Microsoft Entra ID.
//!
//! It is acquired before the login and sent with it. The other way that TDS has, where the server names the authority that is to
//! be asked, would let a server choose who hears the secret. Untried against a real tenant.

use azure_core::credentials::{Secret as Key, TokenCredential as _};
use azure_identity::ClientSecretCredential;

use crate::authentication::Secret;
use crate::connection::ConnectError;

/// What tokens for SQL Server are for, on machines of one's own too.
const SCOPE: &str = "https://database.windows.net/.default";

/// Acquires one.
///
/// # Errors
/// [`ConnectError::Unsupported`]: the tenant or the secret is none, or no token was given, and why.
pub(super) async fn of_principal(
    tenant: &str,
    client: &str,
    secret: &Secret,
) -> Result<Secret, ConnectError> {
    let refused = |error: azure_core::Error| ConnectError::Unsupported {
        reason: format!("Microsoft Entra gave no token for {client}: {error}"),
    };
    let key = Key::new(secret.reveal().to_owned());
    let credential = ClientSecretCredential::new(tenant, client.to_owned(), key, None).map_err(refused)?;
    let token = credential.get_token(&[SCOPE], None).await.map_err(refused)?;
    Ok(Secret::new(token.token.secret().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{ConnectError, Secret, of_principal};

    #[tokio::test]
    async fn what_is_no_tenant_is_refused_before_anybody_is_asked() {
        let secret = Secret::new("topsecret".to_owned());
        for tenant in ["", "a/b", "https://evil.test"] {
            let refused = of_principal(tenant, "client", &secret).await.unwrap_err();
            assert!(
                matches!(refused, ConnectError::Unsupported { .. }),
                "{tenant}: {refused}"
            );
            assert!(!refused.to_string().contains("topsecret"));
        }
    }
}
