<#
Captures the configuration of hybrid OAuth into a folder, for "hybridcheck FOLDER".

It only reads. Run it in the Exchange Management Shell; in the same session, or in a
second run with the same folder, connect to Exchange Online with
    Connect-ExchangeOnline -Prefix EXO
and to Microsoft Graph with
    Connect-MgGraph -Scopes Application.Read.All
What is not connected is left out, and the rules about it are unknown.

Left out, so that the folder holds nothing secret: private keys, PFX files, passwords, client
secrets (their names and dates are captured, Microsoft Graph never returns their values),
tokens, and mailbox data. It does hold names of servers, domains, thumbprints and addresses:
treat it as internal.

Test-OAuthConnectivity is not run: it takes a mailbox. Run it as
    Test-OAuthConnectivity -Service EWS -TargetUri https://outlook.office365.com/ews/exchange.asmx -Mailbox <mailbox> -Verbose |
        Format-List | Out-File -Width 4096 <folder>\onprem\Test-OAuthConnectivity.txt
#>
param(
    [Parameter(Mandatory = $true)][string]$Folder
)

$FormatEnumerationLimit = -1
foreach ($side in 'onprem', 'exo', 'entra') {
    New-Item -ItemType Directory -Force -Path (Join-Path $Folder $side) | Out-Null
}

# Save writes what a block returns; where it fails, the file is left out and the reason is shown.
function Save([string]$Side, [string]$Name, [scriptblock]$Block) {
    try {
        $objects = @(& $Block)
        $path = Join-Path (Join-Path $Folder $Side) ($Name + '.json')
        ConvertTo-Json -InputObject $objects -Depth 6 | Out-File -Encoding utf8 -FilePath $path
        Write-Host "$Side/$Name`: $($objects.Count)"
    }
    catch {
        Write-Warning "$Side/$Name was not captured: $($_.Exception.Message)"
    }
}

# Text turns enumerations, addresses and references into text, so that no number stands for a name.
function Text {
    process {
        $out = [ordered]@{}
        foreach ($p in $_.PSObject.Properties) {
            if ($p.Name -in 'SerializationData', 'RunspaceId', 'PSComputerName', 'PSShowComputerName') { continue }
            $v = $p.Value
            $out[$p.Name] =
                if ($null -eq $v) { $null }
                elseif ($v -is [bool] -or $v -is [string] -or $v -is [int]) { $v }
                elseif ($v -is [datetime]) { $v.ToUniversalTime().ToString('o') }
                elseif ($v -is [System.Collections.IEnumerable]) { , @($v | ForEach-Object { "$_" }) }
                else { "$v" }
        }
        [pscustomobject]$out
    }
}

if (Get-Command Get-AuthConfig -ErrorAction SilentlyContinue) {
    Save onprem Get-AuthConfig { Get-AuthConfig | Text }
    Save onprem Get-AuthServer { Get-AuthServer | Text }
    Save onprem Get-PartnerApplication { Get-PartnerApplication | Text }
    Save onprem Get-IntraOrganizationConnector { Get-IntraOrganizationConnector | Text }
    Save onprem Get-OrganizationRelationship { Get-OrganizationRelationship | Text }
    Save onprem Get-AvailabilityAddressSpace { Get-AvailabilityAddressSpace | Text }
    Save onprem Get-OrganizationConfig { Get-OrganizationConfig | Select-Object Name, Guid, OAuth2ClientProfileEnabled, MapiHttpEnabled, Ews* | Text }
    Save onprem Get-SettingOverride { Get-SettingOverride | Text }
    Save onprem Get-AcceptedDomain { Get-AcceptedDomain | Select-Object Name, DomainName, DomainType, Default | Text }
    Save onprem Get-WebServicesVirtualDirectory { Get-WebServicesVirtualDirectory -ADPropertiesOnly | Text }
    Save onprem Get-AutodiscoverVirtualDirectory { Get-AutodiscoverVirtualDirectory -ADPropertiesOnly | Text }
    Save onprem Get-MapiVirtualDirectory { Get-MapiVirtualDirectory -ADPropertiesOnly | Text }
    Save onprem Get-OabVirtualDirectory { Get-OabVirtualDirectory -ADPropertiesOnly | Text }
    Save onprem Get-ActiveSyncVirtualDirectory { Get-ActiveSyncVirtualDirectory -ADPropertiesOnly | Text }
    Save onprem Get-OutlookAnywhere { Get-OutlookAnywhere -ADPropertiesOnly | Text }
    Save onprem Get-User { Get-User -Identity 'Exchange Online-ApplicationAccount' | Select-Object Name, RecipientType, RecipientTypeDetails, UserAccountControl | Text }
    Save onprem Get-ManagementRoleAssignment { Get-ManagementRoleAssignment -RoleAssignee 'Exchange Online-ApplicationAccount' | Select-Object Name, Role, RoleAssigneeName, Enabled | Text }
    $servers = @(Get-ExchangeServer | Where-Object { $_.ServerRole -notmatch 'Edge' })
    Save onprem Get-ExchangeServer {
        Get-ExchangeServer | ForEach-Object {
            $server = $_
            $setup = $null
            try {
                $setup = Invoke-Command -ComputerName $server.Fqdn -ErrorAction Stop -ScriptBlock {
                    (Get-Item (Join-Path $env:ExchangeInstallPath 'bin\ExSetup.exe')).VersionInfo.FileVersion
                }
            }
            catch { Write-Warning "$($server.Name): the version of ExSetup.exe was not read" }
            $server | Select-Object Name, Fqdn, Edition, ServerRole, AdminDisplayVersion, InternetWebProxy, @{ n = 'ExSetupVersion'; e = { "$setup" } }
        } | Text
    }
    Save onprem Get-ExchangeCertificate {
        foreach ($server in $servers) {
            Get-ExchangeCertificate -Server $server.Name | ForEach-Object {
                $certificate = $_
                [pscustomobject]@{
                    Server = $server.Name; Thumbprint = $certificate.Thumbprint; Subject = $certificate.Subject; Issuer = $certificate.Issuer
                    NotBefore = $certificate.NotBefore; NotAfter = $certificate.NotAfter; HasPrivateKey = $certificate.HasPrivateKey
                    IsSelfSigned = $certificate.IsSelfSigned; Services = $certificate.Services; Status = $certificate.Status
                    PublicKeySize = $certificate.PublicKeySize; PublicKeyAlgorithm = "$($certificate.PublicKey.Oid.FriendlyName)"
                    SignatureAlgorithm = "$($certificate.SignatureAlgorithm.FriendlyName)"
                }
            } | Text
        }
    }
}

if (Get-Command Get-EXOIntraOrganizationConnector -ErrorAction SilentlyContinue) {
    Save exo Get-AuthServer { Get-EXOAuthServer | Text }
    Save exo Get-PartnerApplication { Get-EXOPartnerApplication | Text }
    Save exo Get-IntraOrganizationConnector { Get-EXOIntraOrganizationConnector | Text }
    Save exo Get-IntraOrganizationConfiguration { Get-EXOIntraOrganizationConfiguration | Text }
    Save exo Get-OrganizationRelationship { Get-EXOOrganizationRelationship | Text }
    Save exo Get-AvailabilityAddressSpace { Get-EXOAvailabilityAddressSpace | Text }
    Save exo Get-OrganizationConfig { Get-EXOOrganizationConfig -RetrieveEwsOperationAccessPolicy | Select-Object Name, Guid, OAuth2ClientProfileEnabled, Ews* | Text }
}

if (Get-Command Get-MgContext -ErrorAction SilentlyContinue) {
    if (Get-MgContext) {
        $select = 'id,appId,displayName,keyCredentials,passwordCredentials'
        $names = @{}
        foreach ($id in '00000002-0000-0ff1-ce00-000000000000', '00000003-0000-0000-c000-000000000000') {
            $resource = Invoke-MgGraphRequest -OutputType PSObject GET "v1.0/servicePrincipals(appId='$id')?`$select=id,appRoles"
            foreach ($role in $resource.appRoles) { $names[$role.id] = $role.value }
        }
        $applications = @((Invoke-MgGraphRequest -OutputType PSObject GET "v1.0/applications?`$filter=startswith(displayName,'ExchangeServerApp-')&`$select=id,appId").value)
        Save entra Get-MgApplication {
            foreach ($a in $applications) { # the values of keys come with one object alone
                Invoke-MgGraphRequest -OutputType PSObject GET "v1.0/applications/$($a.id)?`$select=$select,signInAudience,requiredResourceAccess"
            }
        }
        $wanted = @($applications.appId) + '00000002-0000-0ff1-ce00-000000000000', 'db7de2b5-2149-435e-8043-e080dd50afae', '7557eb47-c689-4224-abcf-aef9bd7573df'
        Save entra Get-MgServicePrincipal {
            foreach ($id in $wanted) {
                try {
                    Invoke-MgGraphRequest -OutputType PSObject GET "v1.0/servicePrincipals(appId='$id')?`$select=$select,accountEnabled,servicePrincipalNames,servicePrincipalType"
                }
                catch { Write-Host "no service principal for $id" }
            }
        }
        Save entra Get-MgServicePrincipalAppRoleAssignment {
            foreach ($a in $applications) {
                $assigned = Invoke-MgGraphRequest -OutputType PSObject GET "v1.0/servicePrincipals(appId='$($a.appId)')/appRoleAssignments"
                $assigned.value | Select-Object *, @{ n = 'appRoleValue'; e = { $names[$_.appRoleId] } }
            }
        }
    }
}
