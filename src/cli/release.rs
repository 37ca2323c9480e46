//! `release`: lets resources go before an uninstall.

use anyhow::{Context, Result};
use clap::Args;
use kube::Client;

use crate::controller;

use super::output::print;

/// Lets resources go, so that they, their namespaces and the definitions can be deleted and Pluvo stays as it is.
///
/// It sets the annotation pluvo.dev/orphan and takes the operator's finalizer from every user, group, membership and
/// assignment there, with the permissions of your kubeconfig. Use it before an uninstall, or when the operator is gone
/// already and resources cannot be deleted.
#[derive(Args, Debug)]
pub struct ReleaseArgs {
    /// The namespaces.
    #[arg(short, long, value_name = "NAME", num_args = 1.., required_unless_present = "all_namespaces")]
    namespace: Vec<String>,
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
}

/// Releases, and prints how many there were.
pub async fn run(args: &ReleaseArgs) -> Result<()> {
    let client = Client::try_default()
        .await
        .context("no cluster: set KUBECONFIG, or choose a context with kubectl config use-context")?;
    if args.all_namespaces {
        let released = controller::release(&client, None).await?;
        return print(&format!("released {released} resources in all namespaces\n"));
    }
    for namespace in &args.namespace {
        let released = controller::release(&client, Some(namespace))
            .await
            .with_context(|| format!("namespace {namespace} was not released completely; run the command again"))?;
        print(&format!("released {released} resources in namespace {namespace}\n"))?;
    }
    Ok(())
}
