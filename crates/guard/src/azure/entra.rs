//! Microsoft Entra ID: where an identity is looked for.
//!
//! In this order, the first that the environment names, and no other after it:
//! 1. a service principal: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`;
//! 2. workload identity (Kubernetes): `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_FEDERATED_TOKEN_FILE`;
//! 3. managed identity where the host names its endpoint (App Service, Functions, Container Apps: `IDENTITY_ENDPOINT`),
//!    or where `AZURE_CLIENT_ID` stands alone: the user-assigned one with that id;
//! 4. the developer's tools: `az login`, then `azd auth login`;
//! 5. the managed identity of the virtual machine.
//!
//! Tokens are sent over https only. What is proved here: a token is asked for and put onto requests, and refusals are
//! told in plain words, against a server of the tests. No tenant of Entra was reachable: the order of the sources and
//! their requests are those of Microsoft's library, untried against the real service.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use azure_identity::{
    ClientSecretCredential, DeveloperToolsCredential, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};

use super::OpenError;

/// How long the virtual machine's identity is waited for; its endpoint answers within a second where there is one.
const MACHINE_TIME: Duration = Duration::from_secs(10);

/// How long any source is waited for. The library waits as long as the login host asks it to, and a developer's tool may
/// ask somebody who is not there.
const TOKEN_TIME: Duration = Duration::from_secs(120);

/// The identity of the environment, whose variables `var` reads.
///
/// # Errors
/// A variable holds what cannot be right. Values are not repeated.
pub(super) fn identity(var: impl Fn(&str) -> Option<String>) -> Result<Arc<dyn TokenCredential>, OpenError> {
    let var = |name: &str| var(name).filter(|value| !value.is_empty());
    let failed = |error: Error| OpenError::Entra(error.to_string());
    let (tenant, client) = (var("AZURE_TENANT_ID"), var("AZURE_CLIENT_ID"));
    if let (Some(tenant), Some(client)) = (&tenant, &client) {
        if let Some(secret) = var("AZURE_CLIENT_SECRET") {
            let credential = ClientSecretCredential::new(tenant, client.clone(), Secret::new(secret), None);
            return Ok(credential.map_err(failed)?);
        }
        if let Some(file) = var("AZURE_FEDERATED_TOKEN_FILE") {
            let options = WorkloadIdentityCredentialOptions {
                client_id: Some(client.clone()),
                tenant_id: Some(tenant.clone()),
                token_file_path: Some(file.into()),
                ..WorkloadIdentityCredentialOptions::default()
            };
            return Ok(WorkloadIdentityCredential::new(Some(options)).map_err(failed)?);
        }
    }
    let managed = || {
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: client.clone().map(UserAssignedId::ClientId),
            ..ManagedIdentityCredentialOptions::default()
        };
        ManagedIdentityCredential::new(Some(options)).map_err(failed)
    };
    if var("IDENTITY_ENDPOINT").is_some() || client.is_some() {
        return Ok(managed()?);
    }
    Ok(Arc::new(ToolsThenMachine {
        tools: DeveloperToolsCredential::new(None).map_err(failed)?,
        machine: managed()?,
        chosen_machine: AtomicBool::new(false),
    }))
}

/// The same identity, which answers in time or not at all.
pub(super) fn in_time(identity: Arc<dyn TokenCredential>) -> Arc<dyn TokenCredential> {
    Arc::new(InTime {
        identity,
        time: TOKEN_TIME,
    })
}

#[derive(Debug)]
struct InTime {
    identity: Arc<dyn TokenCredential>,
    time: Duration,
}

#[async_trait]
impl TokenCredential for InTime {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let token = self.identity.get_token(scopes, options);
        tokio::time::timeout(self.time, token).await.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", self.time.as_secs());
            Err(Error::with_message(ErrorKind::Credential, why))
        })
    }
}

/// The developer's tools, or else the virtual machine's identity; who once gave a token is asked from then on.
struct ToolsThenMachine {
    tools: Arc<DeveloperToolsCredential>,
    machine: Arc<ManagedIdentityCredential>,
    chosen_machine: AtomicBool,
}

impl fmt::Debug for ToolsThenMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToolsThenMachine")
    }
}

#[async_trait]
impl TokenCredential for ToolsThenMachine {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if self.chosen_machine.load(Ordering::Relaxed) {
            return self.machine.get_token(scopes, options).await;
        }
        let tools = match self.tools.get_token(scopes, options.clone()).await {
            Ok(token) => return Ok(token),
            Err(error) => error,
        };
        // Where there is no such machine nobody answers, and the library would go on asking for minutes.
        let machine = tokio::time::timeout(MACHINE_TIME, self.machine.get_token(scopes, options)).await;
        let why = match machine {
            Ok(Ok(token)) => {
                self.chosen_machine.store(true, Ordering::Relaxed);
                return Ok(token);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer, so it seems to be none of Azure's".to_owned(),
        };
        Err(Error::with_message(
            ErrorKind::Credential,
            format!("no identity was found: {tools}; the virtual machine: {why}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Never answers.
    #[derive(Debug)]
    struct Silent;

    #[async_trait]
    impl TokenCredential for Silent {
        async fn get_token(
            &self,
            _scopes: &[&str],
            _options: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_source_that_is_silent_is_not_waited_for_without_end() {
        let silent = InTime {
            identity: Arc::new(Silent),
            time: Duration::from_millis(20),
        };
        let error = silent.get_token(&["scope"], None).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Credential), "{error}");
    }

    /// The kind of identity that these variables lead to.
    fn kind(variables: &[(&str, &str)]) -> String {
        let var = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        match identity(var) {
            Ok(identity) => format!("{identity:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_environment_chooses_the_identity() {
        let tenant = ("AZURE_TENANT_ID", "00000000-0000-0000-0000-000000000001");
        let client = ("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000002");
        let secret = ("AZURE_CLIENT_SECRET", "SECRET");
        let token = tempfile::NamedTempFile::new().unwrap();
        let path = token.path().to_str().unwrap();
        let file = ("AZURE_FEDERATED_TOKEN_FILE", path);
        let endpoint = ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/token");
        let cases: [(&[(&str, &str)], &str); 7] = [
            (
                &[tenant, client, secret, file, endpoint],
                "ClientSecretCredential",
            ),
            (&[tenant, client, file, endpoint], "WorkloadIdentityCredential"),
            (&[tenant, client], "ManagedIdentityCredential"),
            (&[endpoint], "ManagedIdentityCredential"),
            (&[client], "ManagedIdentityCredential"),
            (&[tenant, ("AZURE_CLIENT_ID", "")], "ToolsThenMachine"),
            (&[], "ToolsThenMachine"),
        ];
        for (variables, want) in cases {
            let kind = kind(variables);
            assert!(kind.contains(want), "{want}: {kind}");
            assert!(!kind.contains("SECRET"), "{kind}");
        }
        let bad = kind(&[("AZURE_TENANT_ID", "no tenant!"), client, secret]);
        assert!(bad.starts_with("Microsoft Entra ID: "), "{bad}");
        assert!(!bad.contains("SECRET"), "{bad}");
    }
}
