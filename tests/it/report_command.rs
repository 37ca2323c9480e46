//! `pluvo-operator report`: the rows that the cluster never holds.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{
    cli::{Said, run_with},
    support::{Organization, Result, Sandbox, World, eventually, subdirectory},
};

const CONNECTION: &str = "
apiVersion: v1
kind: Secret
metadata: {name: credentials}
stringData: {client-id: operator, client-secret: planted}
---
apiVersion: pluvo.dev/v1alpha1
kind: PluvoConnection
metadata: {name: default}
spec: {organization: rows, credentialsSecretRef: {name: credentials}}
";

/// Titles and names that a spreadsheet would run, more than a page of people, and some that never logged in.
async fn seed(organization: &Organization) -> Result {
    let person = |number: usize| {
        let reference = format!("U{number:03}");
        let name = if number == 1 {
            "@SUM(A1:A9), \"planted\"".to_owned()
        } else {
            format!("Planted {number}")
        };
        let login = (number.is_multiple_of(3)).then_some("2026-01-31");
        json!({"ref": reference, "email": format!("{reference}@example.com"), "name": name, "lastLogin": login})
    };
    let refs: Vec<_> = (1..=120).map(|number| format!("U{number:03}")).collect();
    let done = json!({"progress": 100, "completionDate": "2026-02-01"});
    let seed = json!({
        "users": (1..=120).map(person).collect::<Vec<_>>(),
        "groups": [{"ref": "all", "name": "All", "users": refs}, {"ref": "none", "name": "None"}],
        "trainings": [
            {"ref": "formula", "title": "=HYPERLINK(\"http://example.com\")", "participants": refs, "progress": {"U001": done}},
            {"ref": "other", "title": "Other", "participants": refs},
        ],
    });
    organization.seed(&seed).await
}

fn manifest(kind: &str, name: &str, spec: &Value) -> String {
    format!("---\napiVersion: pluvo.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

async fn report(sandbox: &Sandbox, file: &Path, args: &[&str]) -> Result<Said> {
    let file = file.to_string_lossy();
    let args: Vec<_> = ["report", "-f", &file]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    run_with(sandbox, &args, &[]).await
}

fn rows(said: &Said) -> Result<Vec<Value>> {
    ensure!(said.code == 0, "{}", said.all());
    serde_json::from_str(&said.out).with_context(|| said.all())
}

#[tokio::test]
async fn a_report_prints_its_rows_and_a_spreadsheet_runs_none() -> Result {
    let client = ["--client-id", "operator", "--client-secret", "planted"];
    let sandbox = Sandbox::start_with("", &client).await?;
    let organization = sandbox.organization("rows");
    seed(&organization).await?;
    let unused = json!({"inactiveFor": "2160h", "includeNeverLoggedIn": true, "exclude": {
        "users": ["U002"], "userSelector": {"matchLabels": {"on-leave": "yes"}},
    }});
    let text = [
        CONNECTION.to_owned(),
        manifest(
            "ProgressReport",
            "formulas",
            &json!({"groups": ["all"], "titles": ["=hyperlink(\"http://example.com\")"]}),
        ),
        manifest("ProgressReport", "both", &json!({"groups": ["all"]})),
        manifest("CertificateMonitor", "both", &json!({})),
        manifest("ProgressReport", "empty", &json!({"groups": ["none"]})),
        manifest("ProgressReport", "missing", &json!({"groups": ["al"]})),
        manifest("InactiveUserReport", "unused", &unused),
        manifest(
            "PluvoUser",
            "on-leave",
            &json!({"ref": "U003", "email": "u003@example.com", "name": "Planted 3"}),
        )
        .replace("{name: on-leave}", "{name: on-leave, labels: {on-leave: 'yes'}}"),
    ];
    let file = subdirectory("report")?.join("manifests.yaml");
    fs::write(&file, text.concat())?;

    let csv = report(&sandbox, &file, &["formulas"]).await?;
    ensure!(csv.code == 0, "{}", csv.all());
    let lines: Vec<_> = csv.out.split_terminator("\r\n").collect();
    ensure!(lines.len() == 121, "{} lines", lines.len());
    insta::assert_snapshot!("report_rows", lines[..3].join("\n"));
    ensure!(!csv.all().to_lowercase().contains("u001@example.com"), "{}", csv.all());
    let shown = report(&sandbox, &file, &["formulas", "-o", "json", "--show-personal-data"]).await?;
    let shown = rows(&shown)?;
    let first = shown.iter().find(|row| row["ref"] == "U001").context("U001")?;
    ensure!(
        first["email"] == "U001@example.com" && first["title"] == "=HYPERLINK(\"http://example.com\")",
        "JSON is as Pluvo tells it: {first}"
    );

    ensure!(rows(&report(&sandbox, &file, &["ProgressReport/both", "-o", "json"]).await?)?.len() == 240);
    ensure!(rows(&report(&sandbox, &file, &["certificatemonitor/both", "-o", "json"]).await?)?.is_empty());
    let empty = report(&sandbox, &file, &["empty"]).await?;
    ensure!(
        empty.code == 0 && empty.out.lines().count() == 1,
        "a head: {}",
        empty.all()
    );
    let unused = rows(&report(&sandbox, &file, &["unused", "-o", "json"]).await?)?;
    ensure!(unused.len() == 118, "all but two: {}", unused.len());
    ensure!(unused.iter().filter(|row| row["lastLogin"].is_null()).count() == 79);
    ensure!(unused.iter().all(|row| row["ref"] != "U002" && row["ref"] != "U003"));

    for (name, told) in [
        (
            "both",
            "both may be ProgressReport default/both, CertificateMonitor default/both; give KIND/both",
        ),
        (
            "formula",
            "the manifests hold no report formula; those that they hold: ProgressReport default/both",
        ),
        (
            "missing",
            "group al does not exist in Pluvo; `pluvo-operator list groups` shows those that do",
        ),
    ] {
        let said = report(&sandbox, &file, &[name]).await?;
        ensure!(
            said.code == 1 && said.out.is_empty() && said.all().contains(told),
            "{name}: {}",
            said.all()
        );
    }
    ensure!(organization.log().await?.is_empty(), "reading writes nothing");
    Ok(())
}

#[tokio::test]
async fn what_a_cluster_holds_is_what_a_report_takes() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("rows", json!({})).await?;
    seed(&tenant.organization).await?;
    tenant.sweep().await?;
    tenant
        .declare("ProgressReport", "all", json!({"groups": ["all"]}))
        .await?;
    let status = tenant.ready("ProgressReport", "all").await?["status"].clone();
    let namespace = tenant.namespace.as_str();
    let held = world
        .cluster
        .kubectl(&["get", "pluvo,secrets", "--namespace", namespace, "-o", "yaml"])
        .await?;
    let file = subdirectory("report")?.join("held.yaml");
    fs::write(&file, held)?;
    let file = file.to_string_lossy();
    let said = run_with(&world.sandbox, &["report", "all", "-o", "json", "-f", &file], &[]).await?;
    ensure!(status["progress"]["rows"] == rows(&said)?.len(), "{status}");
    Ok(())
}

#[tokio::test]
async fn whoever_reads_while_rows_come_is_told() -> Result {
    let client = ["--client-id", "operator", "--client-secret", "planted"];
    let sandbox = Sandbox::start_with("", &client).await?;
    let organization = sandbox.organization("rows");
    seed(&organization).await?;
    let file = subdirectory("report")?.join("changing.yaml");
    let all = manifest("ProgressReport", "all", &json!({"groups": ["all"]}));
    fs::write(&file, CONNECTION.to_owned() + &all)?;
    let hold = json!({"next": [{"fault": "holdAfterCommit", "operation": "portfolioReport"}]});
    organization.faults(&hold).await?;
    let disturbed = async {
        eventually("the first page is read", async || {
            let stats = organization.stats().await?;
            ensure!(stats["held"] == 1, "{stats}");
            Ok(())
        })
        .await?;
        let more = json!({"trainings": [{"ref": "more", "title": "More", "participants": ["U001"]}]});
        organization.seed(&more).await?;
        organization.release().await
    };
    let (said, ()) = tokio::try_join!(report(&sandbox, &file, &["all"]), disturbed)?;
    ensure!(
        said.code == 0 && said.all().contains("note: rows may be missing"),
        "{}",
        said.all()
    );
    let said = report(&sandbox, &file, &["all"]).await?;
    ensure!(!said.all().contains("note:"), "{}", said.all());
    Ok(())
}
